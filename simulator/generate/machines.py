"""What machines post: bots old and new, workflows, assistants, Slackbot, services that unfold links."""

from typing import Any

from simulator.generate.cast import Cast
from simulator.generate.ids import slack_id
from simulator.generate.words import BOTS, PLAIN

Json = dict[str, Any]


def old_bot(cast: Cast, canary: str) -> Json:
    """`bot_message`: no user, a name of its own."""
    _, bot, _ = cast.bot()
    attachment = {"id": 1, "fallback": f"Build passed {canary}", "text": f"Build passed {canary}", "ts": 1700000000,
                  "color": "36a64f", "fields": [{"title": "Branch", "value": "main", "short": True}]}  # fmt: skip
    return {"type": "message", "subtype": "bot_message", "text": f"Report {canary}", "bot_id": bot,
            "username": cast.rng.choice(BOTS), "attachments": [attachment]}  # fmt: skip


def new_bot(cast: Cast, canary: str) -> Json:
    """`bot_id` and `user` together, without a subtype."""
    user, bot, app = cast.bot()
    text = f"*Deployed* to production {canary}"
    profile = {"id": bot, "app_id": app, "name": "deploybot", "deleted": False, "team_id": cast.team}
    block = {"type": "section", "block_id": "s", "text": {"type": "mrkdwn", "text": text, "verbatim": False}}
    return {"type": "message", "user": user, "bot_id": bot, "app_id": app, "bot_profile": profile, "text": text,
            "team": cast.team, "blocks": [block, {"type": "divider"}]}  # fmt: skip


def only_blocks(cast: Cast, canary: str) -> Json:
    """Empty or missing text; the content is in blocks."""
    _, bot, _ = cast.bot()
    block = {"type": "section", "text": {"type": "plain_text", "text": f"Only in blocks {canary}", "emoji": True}}
    message: Json = {"type": "message", "subtype": "bot_message", "bot_id": bot, "blocks": [block]}
    return message if cast.rng.random() < 0.5 else {**message, "text": ""}


def only_attachment(cast: Cast, canary: str) -> Json:
    """`text` null; the content is in an attachment."""
    _, bot, _ = cast.bot()
    attachment = {"fallback": f"Alert {canary}", "title": "Alert", "text": f"Disk is full {canary}", "mrkdwn_in": None}
    return {"type": "message", "text": None, "bot_id": bot, "attachments": [attachment]}


def website(cast: Cast, canary: str) -> Json:
    """A link to the web, which a service unfolds."""
    attachment = {"id": 1, "service_name": "Example", "title": f"A page {canary}", "from_url": "https://example.com/a",
                  "title_link": "https://example.com/a", "text": cast.rng.choice(PLAIN), "image_url": "",
                  "fallback": "Example: a page", "original_url": "https://example.com/a"}  # fmt: skip
    return {"type": "message", "user": cast.user(), "text": f"<https://example.com/a> {canary}",
            "attachments": [attachment]}  # fmt: skip


def workflow(cast: Cast, canary: str) -> Json:
    """A step of a workflow: a form's answers, a button, metadata for the next step."""
    user, bot, app = cast.bot()
    fields = [{"type": "mrkdwn", "text": f"*Answer*\n{cast.rng.choice(PLAIN)}"}, {"type": "plain_text", "text": canary}]
    button = {"type": "workflow_button", "text": {"type": "plain_text", "text": "Start"}, "action_id": "a"}
    blocks = [{"type": "header", "text": {"type": "plain_text", "text": f"Standup {canary}"}},
              {"type": "section", "fields": fields}, {"type": "actions", "elements": [button]},
              {"type": "context", "elements": [{"type": "mrkdwn", "text": "posted by a workflow"}]}]  # fmt: skip
    return {"type": "message", "subtype": "bot_message", "user": user, "bot_id": bot, "app_id": app,
            "username": "Standup", "text": f"Standup {canary}", "blocks": blocks,
            "metadata": {"event_type": "standup_done", "event_payload": {"id": slack_id(cast.rng, "Wf")}}}  # fmt: skip


def assistant(cast: Cast, canary: str) -> Json:
    """The first message of a talk with an AI app."""
    title = f"{cast.rng.choice(PLAIN)} {canary}"
    return {"type": "message", "subtype": "assistant_app_thread", "user": cast.user(), "text": title,
            "assistant_app_thread": {"title": title, "title_blocks": [], "artifacts": []}}  # fmt: skip


def slackbot(cast: Cast, canary: str) -> Json:
    """An answer that somebody taught Slackbot."""
    return {"type": "message", "subtype": "slackbot_response", "user": "USLACKBOT",
            "text": f"{cast.rng.choice(PLAIN)} {canary}"}  # fmt: skip

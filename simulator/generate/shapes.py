"""The shapes of messages: each function gives a message without `ts`, its words marked with the channel's canary."""

from collections.abc import Callable
from typing import Any

from simulator.generate.cast import Cast
from simulator.generate.ids import slack_id
from simulator.generate.words import BOTS, MARKUP, PLAIN, SCRIPTS
from simulator.slack import files

Json = dict[str, Any]
Shape = Callable[[Cast, str], Json]


def rich_text(cast: Cast, text: str) -> list[Json]:
    """Slack's own blocks for plain words."""
    section = {"type": "rich_text_section", "elements": [{"type": "text", "text": text}]}
    return [{"type": "rich_text", "block_id": f"{cast.rng.getrandbits(20):05x}", "elements": [section]}]


def said(cast: Cast, text: str) -> Json:
    """What a person's client sends."""
    bits = f"{cast.rng.getrandbits(128):032x}"
    uuid = f"{bits[:8]}-{bits[8:12]}-{bits[12:16]}-{bits[16:20]}-{bits[20:]}"
    return {"client_msg_id": uuid, "type": "message", "text": text, "user": cast.user(), "team": cast.team}


def plain(cast: Cast, canary: str) -> Json:
    """Words, and the same words in blocks."""
    text = f"{cast.rng.choice(PLAIN)} {canary}"
    return {**said(cast, text), "blocks": rich_text(cast, text)}


def many_scripts(cast: Cast, canary: str) -> Json:
    """Words beyond ASCII."""
    text = f"{cast.rng.choice(SCRIPTS)} {canary}"
    return {**said(cast, text), "blocks": rich_text(cast, text)}


def markup(cast: Cast, canary: str) -> Json:
    """Slack's mrkdwn, escapes and tokens, without blocks."""
    return said(cast, f"{cast.rng.choice(MARKUP)} {canary}")


def mention(cast: Cast, canary: str) -> Json:
    """People and channels by id, with and without a label."""
    user, other = cast.user(), cast.rng.choice(cast.others)[0]
    words = f"<@{user}> please see <#{other}> or <#{other}|old-name>, cc <@{cast.user()}|somebody>"
    section = [{"type": "user", "user_id": user}, {"type": "text", "text": " please see "},
               {"type": "channel", "channel_id": other}, {"type": "text", "text": f" {canary} "},
               {"type": "emoji", "name": "wave", "unicode": "1f44b"},
               {"type": "link", "url": "https://example.com/a?b=c", "text": "link"},
               {"type": "element_of_tomorrow", "value": 1}]  # fmt: skip
    blocks = [{"type": "rich_text", "block_id": "m", "elements": [{"type": "rich_text_section", "elements": section}]}]
    return {**said(cast, f"{words} {canary}"), "blocks": blocks}


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


def with_file(cast: Cast, canary: str) -> Json:
    """Files: hosted, the hidden stub, and the old single `file`."""
    user, file_id = cast.user(), slack_id(cast.rng, "F")
    name = f"plan-{cast.rng.randrange(1000)}.png"
    hosted = files.hosted(cast.team, file_id, name, "image/png", 4096, user)
    message: Json = {"type": "message", "user": user, "text": f"Here is the plan {canary}", "files": [hosted]}
    kind = cast.rng.randrange(3)
    if kind == 1:
        message["files"].append({"id": slack_id(cast.rng, "F"), "mode": "hidden_by_limit"})
    elif kind == 2:
        message.update(subtype="file_share", file=hosted, upload=True)
    return message


def unfurled(cast: Cast, canary: str) -> Json:
    """A shared message of another channel: its words, with that channel's canary, ride in the attachment."""
    other, other_canary = cast.rng.choice(cast.others)
    words = f"{cast.rng.choice(PLAIN)} {other_canary}"
    attachment = {"is_msg_unfurl": True, "is_share": True, "channel_id": other, "channel_team": cast.team,
                  "ts": "1700000000.000100", "author_id": cast.user(), "text": words, "fallback": words,
                  "from_url": f"https://team.slack.example/archives/{other}/p1700000000000100"}  # fmt: skip
    return {**said(cast, f"As said over there {canary}"), "attachments": [attachment]}


def joined(cast: Cast, canary: str) -> Json:
    """Somebody joins."""
    user = cast.user()
    words = f"<@{user}> has joined the channel {canary}"
    return {"type": "message", "subtype": "channel_join", "user": user, "text": words}


def event(cast: Cast, canary: str) -> Json:
    """Other subtypes, one of them unknown to everybody; it is data, not an error."""
    user = cast.user()
    subtype = cast.rng.choice(["channel_topic", "channel_purpose", "me_message", "pinned_item", "subtype_of_tomorrow"])
    return {"type": "message", "subtype": subtype, "user": user, "text": f"<@{user}> did a thing {canary}"}


def huddle(cast: Cast, canary: str) -> Json:
    """A huddle with its room."""
    room = {"id": slack_id(cast.rng, "R"), "date_start": 1700000000, "participants": [cast.user()], "has_ended": True}
    return {"type": "message", "subtype": "huddle_thread", "user": cast.user(), "text": f"A huddle {canary}",
            "room": room, "no_notifications": True}  # fmt: skip


def bare(cast: Cast, canary: str) -> Json:
    """`type` missing, `subtype` empty."""
    return {"user": cast.user(), "subtype": "", "text": f"{cast.rng.choice(PLAIN)} {canary}"}


def long(cast: Cast, canary: str) -> Json:
    """More than 4,000 characters."""
    return said(cast, " ".join([cast.rng.choice(PLAIN + SCRIPTS)] * 200) + f" {canary}")


WEIGHTS: dict[Shape, int] = {
    plain: 340, many_scripts: 120, markup: 120, mention: 90, new_bot: 50, old_bot: 50, with_file: 45, joined: 40,
    event: 30, only_blocks: 25, unfurled: 25, bare: 25, only_attachment: 20, huddle: 10, long: 3,
}  # fmt: skip
"""How often, in a thousand or so."""

"""What was said elsewhere and is shown here: another channel's words, which carry that channel's canary.

All of it must stop at the mapping, whatever form it comes in.
"""

from typing import Any

from simulator.generate.cast import Cast
from simulator.generate.ids import slack_id
from simulator.generate.rich import block, section, words
from simulator.generate.words import PLAIN
from simulator.generate.written import said

Json = dict[str, Any]

_TS = "1700000000.000100"


def unfurled(cast: Cast, canary: str) -> Json:
    """A link to a message, which Slack unfolds."""
    other, foreign = _elsewhere(cast)
    attachment = {"is_msg_unfurl": True, "is_share": True, "channel_id": other, "channel_team": cast.team,
                  "ts": _TS, "author_id": cast.user(), "text": foreign, "fallback": foreign,
                  "from_url": _address(other)}  # fmt: skip
    return {**said(cast, f"As said over there {canary}"), "attachments": [attachment]}


def shared(cast: Cast, canary: str) -> Json:
    """A message that was shared with its blocks, its files and its author."""
    other, foreign = _elsewhere(cast)
    blocks = [block([section(words(foreign))], "x")]
    nested = {"team": cast.team, "channel": other, "ts": _TS, "message": {"blocks": blocks}}
    attachment = {"is_msg_unfurl": True, "is_share": True, "channel_id": other, "ts": _TS, "author_name": "Somebody",
                  "message_blocks": [nested], "files": [_file(cast, foreign, other)], "text": foreign,
                  "footer": "Posted in another channel", "mrkdwn_in": ["text"]}  # fmt: skip
    return {**said(cast, f"Look at this {canary}"), "attachments": [attachment], "subtype": "share_shortcut"}


def addressed_only(cast: Cast, canary: str) -> Json:
    """An unfurl that names its channel by its address only."""
    other, foreign = _elsewhere(cast)
    attachment = {"from_url": _address(other), "original_url": _address(other), "title": foreign, "fallback": foreign}
    return {**said(cast, f"<{_address(other)}> {canary}"), "attachments": [attachment]}


def file_from_elsewhere(cast: Cast, canary: str) -> Json:
    """A file that is at home in another channel only."""
    other, foreign = _elsewhere(cast)
    files = [_file(cast, foreign, other)]
    return {"type": "message", "user": cast.user(), "text": f"Their file {canary}", "files": files}


def own_unfurled(cast: Cast, canary: str) -> Json:
    """A message of this very channel, unfolded: its words may stay."""
    place = cast.place(canary)
    quoted = f"{cast.rng.choice(PLAIN)} {canary}"
    attachment = {"is_msg_unfurl": True, "channel_id": place, "ts": _TS, "text": quoted, "from_url": _address(place)}
    return {**said(cast, f"As I said {canary}"), "attachments": [attachment]}


def _elsewhere(cast: Cast) -> tuple[str, str]:
    """A channel, and words with its canary."""
    other, mark = cast.rng.choice(cast.others)
    return other, f"{cast.rng.choice(PLAIN)} {mark}"


def _address(channel: str) -> str:
    return f"https://team.slack.com/archives/{channel}/p{_TS.replace('.', '')}"


def _file(cast: Cast, title: str, channel: str) -> Json:
    return {"id": slack_id(cast.rng, "F"), "name": f"{title}.txt", "title": title, "mimetype": "text/plain",
            "filetype": "text", "mode": "snippet", "size": 12, "channels": [channel], "groups": [], "ims": [],
            "preview": title, "plain_text": title}  # fmt: skip

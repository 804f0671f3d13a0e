"""Messages that somebody wrote with Slack's editor: styles, lists, quotes, code, tables; `text` and `blocks` agree."""

from typing import Any

from simulator.generate.cast import Cast
from simulator.generate.ids import slack_id
from simulator.generate.rich import block, code, items, link, quote, section, text_of, words
from simulator.generate.words import PLAIN, SCRIPTS

Json = dict[str, Any]


def said(cast: Cast, text: str) -> Json:
    """What a person's client sends."""
    bits = f"{cast.rng.getrandbits(128):032x}"
    uuid = f"{bits[:8]}-{bits[8:12]}-{bits[12:16]}-{bits[16:20]}-{bits[20:]}"
    return {"client_msg_id": uuid, "type": "message", "text": text, "user": cast.user(), "team": cast.team}


def written(cast: Cast, *parts: Json) -> Json:
    """Parts of rich_text by a person, and the text that Slack gives for them."""
    name = f"{cast.rng.getrandbits(20):05x}"
    return {**said(cast, text_of(parts)), "blocks": [block(parts, name)]}


def styled(cast: Cast, canary: str) -> Json:
    """Styles within a line, escapes, a link, an emoji."""
    line = cast.rng.choice(PLAIN + SCRIPTS)
    return written(cast, section(
        words(line, *cast.rng.choice([("bold",), ("italic",), ("strike",), ("bold", "italic")])),
        words(" if a < b && c > d, see "), link("https://docs.example.com/guide?a=1&b=2", "the <guide>"),
        words(" and "), words("make test", "code"), words(" "), {"type": "emoji", "name": "tada", "unicode": "1f389"},
        words(f" {canary}"),
    ))  # fmt: skip


def addressed(cast: Cast, canary: str) -> Json:
    """People, groups, channels, everybody, a date and a colour."""
    calls: list[Json] = [{"type": "broadcast", "range": cast.rng.choice(["here", "channel", "everyone"])},
             {"type": "usergroup", "usergroup_id": slack_id(cast.rng, "S")},
             {"type": "date", "timestamp": 1_700_000_000, "format": "{date_short}", "fallback": "14 Nov 2023"},
             {"type": "color", "value": "#36a64f"}]  # fmt: skip
    return written(cast, section(
        {"type": "user", "user_id": cast.user()}, words(" and "), cast.rng.choice(calls), words(" look at "),
        {"type": "channel", "channel_id": cast.rng.choice(cast.others)[0]}, words(f": {canary}"),
    ))  # fmt: skip


def listed(cast: Cast, canary: str) -> Json:
    """A list in a list in a list, bullets or numbers, which goes on after the inner ones."""
    style = cast.rng.choice(["bullet", "ordered"])
    lines = cast.rng.sample(PLAIN, 5)
    return written(
        cast,
        section(words(f"What is left {canary}\n")),
        items(lines[:2], 0, style),
        items(lines[2:3], 1, style),
        items([f"deepest {canary}"], 2, style),
        items(lines[3:], 0, style, offset=2),
    )


def quoting(cast: Cast, canary: str) -> Json:
    """Somebody's words, and an answer below them."""
    return written(
        cast,
        quote(words(f"{cast.rng.choice(PLAIN)}\nand a second line {canary}")),
        section(words(f"{cast.rng.choice(PLAIN)} {canary}")),
    )


def coding(cast: Cast, canary: str) -> Json:
    """Code between words."""
    lines = f"def answer(x):\n    return x < 6 and x & 7  # *{canary}*"
    return written(cast, section(words(f"Like this {canary}:\n")), code(lines), section(words("no?")))


def table(cast: Cast, canary: str) -> Json:
    """A table below a line of text; its cells are plain or rich."""
    rich = {"type": "rich_text", "elements": [section(words(f"cell {canary}", "bold"))]}
    rows = [[{"type": "raw_text", "text": "Name"}, {"type": "raw_text", "text": "Count"}],
            [rich, {"type": "raw_number", "value": 42, "text": "42"}]]  # fmt: skip
    message = written(cast, section(words(f"Numbers of the week {canary}")))
    message["blocks"].append({"type": "table", "block_id": "t", "rows": rows})
    return message


def foreseen(cast: Cast, canary: str) -> Json:
    """An element that Slack will invent tomorrow, among known ones."""
    message = written(cast, section(words(f"{cast.rng.choice(PLAIN)} {canary}")))
    message["blocks"][0]["elements"][0]["elements"].append({"type": "element_of_tomorrow", "value": 1})
    return message

"""The words of PROTOCOL.md that client, fake and server share. Pure."""

import json
from collections.abc import Sequence
from typing import Any, Literal
from urllib.parse import quote

from common_mesh.report import Rejection

NDJSON = "application/x-ndjson"
RETRACTION = "retraction"

Outcome = Literal["created", "updated", "unchanged", "stale", "rejected"]
LETTERS: dict[Outcome, str] = {"created": "c", "updated": "u", "unchanged": "n", "stale": "s", "rejected": "r"}


class BadAnswer(ValueError):
    """An answer that does not fit the batch it answers."""


def path(org: str, module: str, model: str, leaf: str) -> str:
    """`/v1/{org}/{module}/{model}/{leaf}`, each part percent-encoded; ValueError for a part that no path can hold."""
    return "/v1/" + "/".join(_segment(part) for part in (org, module, model)) + "/" + leaf


def _segment(part: str) -> str:
    if part in ("", ".", ".."):
        raise ValueError(f"{part!r} cannot be an organisation, module or model: it has a meaning in paths")
    return quote(part, safe="")


def answer(outcomes: str, rejected: Sequence[Rejection]) -> bytes:
    """A batch's answer: a letter a line, and index, id, reason of the rejected ones."""
    named = [(item.index, item.id, item.reason) for item in rejected]
    return json.dumps({"outcomes": outcomes, "rejected": named}, separators=(",", ":")).encode()


def read_answer(body: bytes, records: int) -> tuple[str, list[Rejection]]:
    """The answer to a batch of `records` lines. Raises `BadAnswer` unless it accounts for every one of them."""
    try:
        document = json.loads(body)
        outcomes, rejected = document["outcomes"], [_rejection(item) for item in document["rejected"]]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise BadAnswer("is no batch answer") from None
    if not isinstance(outcomes, str) or len(outcomes) != records or set(outcomes) - set(LETTERS.values()):
        raise BadAnswer("does not give each record an outcome")
    if [r.index for r in rejected] != [i for i, letter in enumerate(outcomes) if letter == LETTERS["rejected"]]:
        raise BadAnswer("does not name what it rejected")
    return outcomes, rejected


def _rejection(item: Any) -> Rejection:
    index, rid, reason = item
    if type(index) is not int or not isinstance(rid, str | None) or not isinstance(reason, str):
        raise TypeError
    return Rejection(index, rid, reason)

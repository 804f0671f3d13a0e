"""What Paragon says no with, by who is to blame and whether waiting helps.

    SluiceError
     ├── Rejected
     │    └── RequestRefused      400, 404, 422 …: Paragon understood and will not; asking again changes nothing
     ├── Unavailable              429, 5xx, time-outs, cut lines, answers that are none: later (`retry_after`)
     │    └── Refused
     │         ├── AccessRefused  401, 403, `authenticated: false`, a redirect, a bad certificate: an operator acts
     │         └── SlackRefused   Slack refuses this user's credential or call: the user reconnects
     └── ParagonRefused           what RequestRefused and AccessRefused both are: Paragon's own refusal

A credential that Paragon refuses is a wait and not a rejection: the work is good, and goes on with a new key.
No error holds a message of Paragon or Slack, which may quote what was sent: a status, and a code of one word.
"""

import re
from datetime import UTC
from http import HTTPStatus
from math import isfinite, nan
from typing import Final

from common_core import temporal

from pipeline.errors import Refused, Rejected, SluiceError, Unavailable

_WORD: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_LONGEST_WAIT: Final = 86_400.0
_LATER: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
_ACCESS: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


class ParagonRefused(SluiceError):
    """Paragon itself refused. `status` is HTTP's, `code` one word of Paragon's or ""."""

    status: int
    code: str


class RequestRefused(ParagonRefused, Rejected):
    """This request can never work: an unknown workflow, a body that Paragon will not take."""

    def __init__(self, status: int, code: str = "") -> None:
        Rejected.__init__(self, "paragon_refused", location=f"status {status}")
        self.status, self.code = status, code


class AccessRefused(ParagonRefused, Refused):
    """Paragon refuses *us*: our token, our project, our address of it. `status` is 0 where no answer came."""

    def __init__(self, status: int, code: str = "", *, retry_after: float | None = None) -> None:
        Refused.__init__(self, f"paragon_access_refused_{status}", retry_after=retry_after)
        self.status, self.code = status, code


class SlackRefused(Refused):
    """Slack refuses this user's credential or this call. `code` is Slack's own word (`token_revoked`) or ""."""

    def __init__(self, status: int, code: str = "", *, retry_after: float | None = None) -> None:
        super().__init__("slack_refused", retry_after=retry_after)
        self.status, self.code = status, code


def refusal(status: int, body: object, retry_after: float | None = None) -> SluiceError:
    """The error of an answer that is not 2xx. `body` is its JSON, None where it was none.

    What waiting mends is told by the status first, whoever said it; then `isIntegrationError` tells Slack's refusal
    from Paragon's own.
    """
    fields = body if isinstance(body, dict) else {}
    meta = fields.get("meta")
    code = word(fields.get("code"))
    if status in _LATER:
        return Unavailable(f"paragon_{status}", retry_after=retry_after)
    if isinstance(meta, dict) and meta.get("isIntegrationError") is True:
        return SlackRefused(status, code, retry_after=retry_after)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Unavailable(f"paragon_{status}", retry_after=retry_after)
    if status in _ACCESS or status < HTTPStatus.BAD_REQUEST:
        return AccessRefused(status, code, retry_after=retry_after)
    return RequestRefused(status, code)


def word(value: object) -> str:
    """A code of one word, "" for anything that could be more than a code."""
    text = str(value) if isinstance(value, str | int) else ""
    return text if _WORD.fullmatch(text) else ""


def retry_after(value: str | None, now: float) -> float | None:
    """`Retry-After` in seconds from `now` (Unix seconds), from either form; None where it says nothing sensible."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        seconds = _http_date(value) - now
    return min(max(seconds, 0.0), _LONGEST_WAIT) if isfinite(seconds) else None


def _http_date(value: str) -> float:
    """Unix seconds; NaN for what is no date."""
    try:
        return temporal.to_us(temporal.from_written(value, UTC)) / 1e6
    except temporal.UnreadableTime:
        return nan

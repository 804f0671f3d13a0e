"""Probes of `./sluice doctor`: what one trial run's callbacks looked like, without what was in them.

    sluice:probe:<id>            list of verdicts, gone after a quarter of an hour

The id is the only credential of the address that a trial's callbacks go to, so it is random and short-lived. What is
kept is names of fields, counts and facts of cursors (`pipeline.contract.Verdict`): no body, no header.
"""

import re
import secrets
from typing import Final

import msgspec
import redis

from pipeline.contract import Verdict
from pipeline.store.client import ask, ask_all

LIFETIME: Final = 900
"""Seconds."""
MOST: Final = 500
"""Verdicts that one probe keeps."""
_ID: Final = re.compile(r"[0-9a-f]{40}")
_OPENED: Final = b""


class Probes:
    """Opened and read by the doctor, written to by the API."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def open(self) -> str:
        """A new probe's id, 40 hex digits."""
        probe = secrets.token_hex(20)
        ask_all(self._client, [("RPUSH", _key(probe), _OPENED), ("EXPIRE", _key(probe), LIFETIME)])
        return probe

    def is_open(self, probe: str) -> bool:
        """Whether callbacks are still looked at for this id."""
        return bool(_ID.fullmatch(probe)) and 0 < int(ask(self._client, "LLEN", _key(probe))) <= MOST

    def add(self, probe: str, verdict: Verdict) -> None:
        """Note one callback; nothing where the probe has ended meanwhile."""
        ask(self._client, "RPUSHX", _key(probe), msgspec.json.encode(verdict))

    def verdicts(self, probe: str) -> list[Verdict]:
        """What came so far, in order."""
        rows = ask(self._client, "LRANGE", _key(probe), 1, -1)
        return [msgspec.json.decode(row, type=Verdict) for row in rows]

    def close(self, probe: str) -> None:
        """End it: callbacks that come later get 404."""
        ask(self._client, "DEL", _key(probe))


def _key(probe: str) -> str:
    return f"sluice:probe:{probe}"

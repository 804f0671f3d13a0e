"""Which dead letters are of a channel that is not allowed any more, or were from before it was allowed again.

A letter's channel is its id's, else what its page said; of a callback that cannot be read, whichever removed channel it
names as a JSON string. A channel's baseline says since when it has been allowed without a gap: what is older is below
the fence that ended it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import redis

from pipeline.envelope import read_envelope, unpack
from pipeline.errors import Rejected
from pipeline.store.allowlists import Allowlists
from pipeline.store.channel_pauses import baseline_of
from pipeline.store.client import ask
from pipeline.store.keys import Keys

_MODELS: Final = ("message", "allowed_slack_channel")


def place_of(letter: Mapping[str, Any], team: str | None) -> str | None:
    """`<team>|<channel>` of a letter that is one record; None where it is of no channel, or nobody can tell."""
    if letter["model"] not in _MODELS:
        return None
    if letter["id"]:
        found, channel, *_ = letter["id"].split(":")
        return f"{found}|{channel}"
    return f"{team}|{letter['channel']}" if team and letter.get("channel") else None


def places_in(plain: bytes, team: str | None, removed: Sequence[tuple[str, str]]) -> list[str]:
    """The same of a whole callback of messages: one, or whichever it may be. `removed` are channels of late."""
    try:
        channel = read_envelope("messages", *unpack(plain)).channel
    except Rejected:
        return [f"{of}|{one}" for of, one in removed if of == team and f'"{one}"'.encode() in plain]
    return [f"{team}|{channel}"] if team and channel else []


def epoch_of(letter: Mapping[str, Any]) -> int:
    """Since when its content is (an epoch), as well as it says: else when it was buried."""
    version = letter["version"]
    return int(version[:16]) if version else int(letter.get("epoch") or letter["at"])


class Lists:
    """The lists of an organisation, read after the letters: a channel that is allowed later has none among them."""

    def __init__(self, client: redis.Redis, allowlists: Allowlists, keys: Keys, org: str) -> None:
        self._client, self._allowlists, self._keys, self._org = client, allowlists, keys, org
        self._since: dict[str, int | None] = {}

    def revoked(self, places: Iterable[str], epoch: int) -> str | None:
        """The first of these channels of which what is of this epoch was revoked."""
        for place in places:
            if place not in self._since:
                self._since[place] = self._read(place)
            since = self._since[place]
            if since is None or epoch < since:
                return place
        return None

    def _read(self, place: str) -> int | None:
        """Since when it is allowed; None: it is not."""
        row = ask(self._client, "HGET", self._keys.baselines(self._org), place)
        if row is not None:
            return baseline_of(row).at
        team, _, channel = place.partition("|")
        return 0 if channel in self._allowlists.effective(self._org, team).channels else None

"""What `sdk/me` last said of a connection: kept beside its registration and gone with it (`store.disconnect`)."""

import json
from dataclasses import asdict, dataclass
from typing import Final

import redis

from pipeline.connection import split_connection
from pipeline.errors import Refused
from pipeline.store.client import ask
from pipeline.store.connections import Registration
from pipeline.store.keys import Shards
from pipeline.store.scripts import Changes

KINDS: Final = ("channels", "users")
FIELDS: Final = ("me", *(f"{kind}_asked_at" for kind in KINDS))


@dataclass(frozen=True, slots=True)
class Look:
    """Slack's side of a Paragon user at `at` (microseconds); `status` is VALID, INVALID, PENDING or None: not said.

    `credential` is the id of the credential, which changes when the user connects Slack anew.
    """

    at: int
    enabled: bool
    status: str | None
    team: str | None
    credential: str | None = None

    @property
    def blocks(self) -> str:
        """Why nothing can be pulled: Slack is not connected, or its credential is not valid; "" where it can."""
        if not self.enabled:
            return "not_connected"
        return "credential_invalid" if self.status == "INVALID" else ""

    def other_than(self, team: str | None) -> bool:
        """Whether the user has connected another team than the one that is fixed."""
        return self.team is not None and team is not None and self.team != team


class Looks:
    """The newest look at each connection, and when its directory workflows were last started by us."""

    def __init__(self, client: redis.Redis, shards: Shards) -> None:
        self._client, self._shards = client, shards

    def get(self, connection: str) -> Look | None:
        """The newest look, None before the first."""
        found = ask(self._client, "HGET", self._key(connection), "me")
        return None if found is None else Look(**json.loads(found))

    def keep(self, known: Registration, look: Look) -> bool:
        """Keep a look, unless the connection ended meanwhile."""
        return self._write(known, "me", json.dumps(asdict(look)))

    def asked_at(self, connection: str, kind: str) -> int:
        """When a directory workflow was last started by us, 0 for never."""
        return int(ask(self._client, "HGET", self._key(connection), f"{kind}_asked_at") or 0)

    def asked(self, known: Registration, kind: str, at: int) -> bool:
        """Note that a directory workflow was started."""
        return self._write(known, f"{kind}_asked_at", at)

    def hold_to(self, connection: str, team: str) -> None:
        """Raise `Refused("team_differs")` where the newest look saw another team."""
        look = self.get(connection)
        if look is not None and look.other_than(team):
            raise Refused("team_differs")

    def _write(self, known: Registration, field: str, value: str | int) -> bool:
        key = self._key(known.connection)
        changes = Changes().expect(known.generation, "HGET", key, "generation").expect("live", "HGET", key, "state")
        return changes.do("HSET", key, field, value).commit(self._client) == 0

    def _key(self, connection: str) -> str:
        split_connection(connection)  # raises Rejected for what is no connection
        return self._shards.of(connection).connection(connection)

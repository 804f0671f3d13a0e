"""What `sdk/me` last said of a connection: kept beside its registration and gone with it (`store.disconnect`)."""

import json
from dataclasses import asdict, dataclass, replace
from typing import Final

import redis

from pipeline.connection import split_connection
from pipeline.errors import Refused
from pipeline.events import CredentialInvalid, CredentialValid, Event
from pipeline.rules.credential import Told, news, word
from pipeline.store.client import ask, clock
from pipeline.store.connections import Registration
from pipeline.store.events import Events
from pipeline.store.keys import Keys, Shards
from pipeline.store.schedule import LEASE_US
from pipeline.store.scripts import Changes, now

KINDS: Final = ("channels", "users")
DRIFT: Final = "drift"
FIELDS: Final = ("me", "credential", DRIFT, *(f"{kind}_asked_at" for kind in KINDS))


@dataclass(frozen=True, slots=True)
class Look:
    """Slack's side of a Paragon user at `at` (microseconds); `status` is VALID, INVALID, PENDING or None: not said.

    `credential` is the id of the credential, which changes when the user connects Slack anew; `differed_until` is the
    first look after the last one that saw another team than the fixed one, 0 if none did; `blocked_since` is the first
    of the looks that found nothing to pull with, 0 where there is something.
    """

    at: int
    enabled: bool
    status: str | None
    team: str | None
    credential: str | None = None
    differed_until: int = 0
    blocked_since: int = 0

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

    def keep(self, known: Registration, look: Look, events: Events) -> bool:
        """Keep a look, and with it what it tells of the credential, unless the connection ended meanwhile.

        Nothing is kept where another look tells the same at this very moment: it is the other one that counts.
        """
        key, changes = self._key(known.connection), self._changes(known)
        before = self.get(known.connection)
        if before is not None:
            ended = before.other_than(known.team) and not look.other_than(known.team)
            look = replace(look, differed_until=look.at if ended else before.differed_until)
        changes.do("HSET", key, "me", json.dumps(asdict(look)))
        if events.wanted:
            self._tell(changes, known, look, events)
        return changes.commit(self._client) == 0

    def _tell(self, changes: Changes, known: Registration, look: Look, events: Events) -> None:
        """A credential that came to hold, or ceased to, since the core service was told last."""
        key, stored = self._key(known.connection), ask(self._client, "HGET", self._key(known.connection), "credential")
        said = word(enabled=look.enabled, status=look.status, other_team=look.other_than(known.team))
        told = news(None if stored is None else Told(*json.loads(stored)), said, look.at)
        if told is None:
            return
        changes.expect(stored or "", "HGET", key, "credential").do("HSET", key, "credential", json.dumps(told))
        events.append(changes, self._shards.of(known.connection), _event(known, look, told))

    def want(self, keys: Keys, connection: str) -> None:
        """Have the connection looked at soon; not sooner than Paragon wants to be asked again where that failed, and
        not once more where somebody is at it.
        """
        item = f"look:{connection}"
        changes = Changes().expect("", "HGET", keys.tries, item)
        due = ask(self._client, "ZSCORE", keys.due, item)
        if due is None or float(due) > clock(self._client) + LEASE_US:
            changes.do("ZADD", keys.due, "LT", now(), item).commit(self._client)

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

    def belongs(self, connection: str, team: str, at: int, *, in_doubt: bool) -> bool | None:
        """Whether what came at `at` from whatever team is connected is of the fixed one; None: a newer look is wanted.

        While the newest look sees another team, and before the first that saw the fixed one again, it is not.
        """
        look = self.get(connection)
        if look is not None and (look.other_than(team) or at <= look.differed_until):
            return False
        return None if in_doubt and (look is None or look.at <= at) else True

    def _write(self, known: Registration, field: str, value: str | int) -> bool:
        changes = self._changes(known).do("HSET", self._key(known.connection), field, value)
        return changes.commit(self._client) == 0

    def _changes(self, known: Registration) -> Changes:
        """A change that holds while the connection is the one that was looked at."""
        key = self._key(known.connection)
        return Changes().expect(known.generation, "HGET", key, "generation").expect("live", "HGET", key, "state")

    def _key(self, connection: str) -> str:
        split_connection(connection)  # raises Rejected for what is no connection
        return self._shards.of(connection).connection(connection)


def _event(known: Registration, look: Look, told: Told) -> Event:
    if told.word == "valid":
        return CredentialValid(at=told.at, connection=known.connection, team=known.team or look.team)
    return CredentialInvalid(at=told.at, connection=known.connection, team=known.team or look.team, reason=told.word)

"""The directory of a team: its channels (for the picker) and users (for names), sealed like entries."""

from collections.abc import Iterable, Iterator

import redis
from pydantic import ValidationError

from pipeline.errors import Rejected, Unavailable
from pipeline.models import AllowedSlackChannel, User
from pipeline.store.client import ask
from pipeline.store.keys import Keys, Shards
from pipeline.store.scripts import Changes
from pipeline.store.vault import Vault

Entry = AllowedSlackChannel | User


class Directory:
    """Sealed records by Slack id. A value that cannot be opened is as good as absent: names fall back to ids."""

    def __init__(self, client: redis.Redis, shards: Shards, vault: Vault) -> None:
        self._client, self._shards, self._vault = client, shards, vault

    def put(self, changes: Changes, org: str, record: Entry) -> None:
        """Keep a mapped channel or user as part of an atomic change."""
        kind, name = _place(record)
        team = record.team or ""
        sealed = self._vault.seal(org, _header(org, team, kind, name), record.model_dump_json().encode())
        value = self._vault.key_id.encode() + b"|" + sealed
        changes.do("HSET", self._keys(org).directory(org, team, kind), name, value)

    def forget(self, changes: Changes, org: str, team: str, user: str) -> None:
        """Drop a user as part of an atomic change."""
        changes.do("HDEL", self._keys(org).directory(org, team, "users"), user)

    def channels(self, org: str, team: str, wanted: Iterable[str] | None = None) -> Iterator[AllowedSlackChannel]:
        """The team's channels, or those wanted that are known."""
        for found in self._read(org, team, "channels", wanted):
            if isinstance(found, AllowedSlackChannel):
                yield found

    def user_names(self, org: str, team: str, wanted: Iterable[str]) -> dict[str, str]:
        """Slack user id → the name a person reads: display name, else real name, else handle."""
        names = {}
        for user in self._read(org, team, "users", wanted):
            if isinstance(user, User) and user.user_id:
                names[user.user_id] = user.display_name or user.real_name or user.name or user.user_id
        return names

    def channel_names(self, org: str, team: str, wanted: Iterable[str]) -> dict[str, str]:
        """Channel id → name. The caller asks for allowed channels only."""
        return {found.channel: found.name for found in self.channels(org, team, wanted) if found.name}

    def _read(self, org: str, team: str, kind: str, wanted: Iterable[str] | None) -> Iterator[Entry]:
        """Records that can be opened and read. No store call is made while one is: the outage caught is a key's."""
        key = self._keys(org).directory(org, team, kind)
        if wanted is None:
            rows = {name.decode(): value for name, value in ask(self._client, "HGETALL", key).items()}
        else:
            ids = list(wanted)
            rows = dict(zip(ids, ask(self._client, "HMGET", key, *ids), strict=True)) if ids else {}
        for name, value in rows.items():
            if value is None:
                continue
            key_id, _, sealed = value.partition(b"|")
            try:
                plain = self._vault.open(org, key_id.decode(), _header(org, team, kind, name), sealed)
                yield (AllowedSlackChannel if kind == "channels" else User).model_validate_json(plain)
            except (Rejected, Unavailable, ValidationError):
                continue

    def _keys(self, org: str) -> Keys:
        return self._shards.of_org(org)


def _place(record: Entry) -> tuple[str, str]:
    if isinstance(record, AllowedSlackChannel):
        return "channels", record.channel
    return "users", record.user_id or ""


def _header(org: str, team: str, kind: str, name: str) -> bytes:
    return f"directory|{org}|{team}|{kind}|{name}".encode()

"""The directory of a team: its channels (for the picker) and users (for names), sealed like entries."""

from collections.abc import Iterable, Iterator

import redis

from pipeline.errors import Rejected
from pipeline.models import AllowedSlackChannel, User
from pipeline.store.client import ask
from pipeline.store.keys import Keys, Shards
from pipeline.store.scripts import Changes
from pipeline.store.vault import Vault


class Directory:
    """Sealed records by Slack id. A value that cannot be opened is as good as absent: names fall back to ids."""

    def __init__(self, client: redis.Redis, shards: Shards, vault: Vault) -> None:
        self._client, self._shards, self._vault = client, shards, vault

    def put(self, changes: Changes, org: str, record: AllowedSlackChannel | User) -> None:
        """Keep a mapped channel or user as part of an atomic change."""
        kind, name = _place(record)
        team = record.team or ""
        sealed = self._vault.seal(org, _header(org, team, kind, name), record.model_dump_json().encode())
        value = self._vault.key_id.encode() + b"|" + sealed
        changes.do("HSET", self._keys(org).directory(org, team, kind), name, value)

    def channels(self, org: str, team: str, wanted: Iterable[str] | None = None) -> Iterator[AllowedSlackChannel]:
        """The team's channels, or those wanted that are known."""
        for plain in self._read(org, team, "channels", wanted):
            yield AllowedSlackChannel.model_validate_json(plain)

    def user_names(self, org: str, team: str, wanted: Iterable[str]) -> dict[str, str]:
        """Slack user id → the name a person reads: display name, else real name, else handle."""
        names = {}
        for plain in self._read(org, team, "users", wanted):
            user = User.model_validate_json(plain)
            if user.user_id:
                names[user.user_id] = user.display_name or user.real_name or user.name or user.user_id
        return names

    def channel_names(self, org: str, team: str, wanted: Iterable[str]) -> dict[str, str]:
        """Channel id → name. The caller asks for allowed channels only."""
        return {found.channel: found.name for found in self.channels(org, team, wanted) if found.name}

    def _read(self, org: str, team: str, kind: str, wanted: Iterable[str] | None) -> Iterator[bytes]:
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
                yield self._vault.open(org, key_id.decode(), _header(org, team, kind, name), sealed)
            except Rejected:
                continue

    def _keys(self, org: str) -> Keys:
        return self._shards.of_org(org)


def _place(record: AllowedSlackChannel | User) -> tuple[str, str]:
    if isinstance(record, AllowedSlackChannel):
        return "channels", record.channel
    return "users", record.user_id or ""


def _header(org: str, team: str, kind: str, name: str) -> bytes:
    return f"directory|{org}|{team}|{kind}|{name}".encode()

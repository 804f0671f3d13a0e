"""Looking at a connection as Paragon sees it: is Slack connected, does its credential hold, whose team is it.

What a look finds is kept for `GET connection`; it also starts the directory workflows where Sluice is to do that, and
holds the metadata against what we wrote there: every quarter of an hour, and so each night, at no request of its own.
"""

import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from pipeline import flow
from pipeline.errors import Refused, Rejected, Unavailable
from pipeline.paragon.client import ParagonClient
from pipeline.paragon.errors import SlackRefused
from pipeline.paragon.me import SlackIntegration
from pipeline.stages.stores import Stores
from pipeline.store.client import clock
from pipeline.store.connections import Registration
from pipeline.store.keys import Keys
from pipeline.store.looks import Look, Looks
from pipeline.store.waking import wake
from workers import metadata

_SECOND_US: Final = 1_000_000
EVERY_US: Final = 900 * _SECOND_US
_SOONEST_US: Final = 2 * _SECOND_US
_HOUR_US: Final = 3600 * _SECOND_US
_DAY_US: Final = 24 * _HOUR_US
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Directories:
    """The directory workflows that Sluice starts itself, and where they are to post.

    `workflows` maps `channels` and `users` to a workflow's id; what it leaves out, Paragon starts. `webhooks` is the
    address that the kind is put behind.
    """

    workflows: Mapping[str, str] = field(default_factory=dict)
    webhooks: str = ""


class Looking:
    """`sdk/me` of one connection at a time. Safe to run twice: a directory that is read twice is the same one."""

    def __init__(self, stores: Stores, paragon: ParagonClient, directories: Directories) -> None:
        self._stores, self._paragon, self._directories = stores, paragon, directories
        self._looks = Looks(stores.client, stores.shards)

    def look(self, connection: str) -> str:
        """Look, if that is due, and say when next; what was found, as a word."""
        stores, keys = self._stores, self._stores.shards.of(connection)
        seen = stores.schedule.when(keys, "look", connection)
        if seen is None:
            return "unchanged"
        known = stores.connections.get(connection)
        if known is None or not known.live:
            stores.schedule.finish(keys, "look", connection, seen)
            return "gone"
        if stores.pauses.of(connection):
            return "paused"  # due again when the lease ends, in a minute
        try:
            said, next_at = self._look(known)
        except (Unavailable, Rejected) as refusal:
            return self._not_looked(keys, connection, seen, refusal)
        stores.schedule.succeeded(keys, "look", connection)
        stores.schedule.finish(keys, "look", connection, seen, next_at=next_at)
        return said

    def _look(self, known: Registration) -> tuple[str, int]:
        before, me = self._looks.get(known.connection), self._paragon.me(known.connection)
        metadata.hold(self._stores, known, me.meta)
        look = self._taken(known.connection, me.slack)
        if look.blocks:
            look = replace(look, blocked_since=_blocked_since(known, before, look))
        self._looks.keep(known, look, self._stores.events)
        if before is not None and before.blocks and not look.blocks:
            wake(self._stores.client, self._stores.shards, self._stores.ledger.runs, known.connection)
        # What was read again is judged once Paragon was asked after its last page.
        flow.look(self._stores, self._stores.shards.of(known.connection))
        if not look.enabled:
            return "not connected", _next_look(look)
        if self._other_team(known, look):
            _log.error("connection.team_differs", extra={"connection": known.connection})
            return "team_differs", look.at + EVERY_US
        if look.blocks:
            return "connected", _next_look(look)
        self._start_directories(known, look.at)
        return "connected", look.at + EVERY_US

    def _taken(self, connection: str, slack: SlackIntegration) -> Look:
        """Provider data names the team, else Slack itself through the proxy, whose no is a credential's end, too."""
        now = clock(self._stores.client)
        team, status = slack.team, slack.credential_status
        if slack.enabled and team is None and status != "INVALID":
            try:
                team = _team_by_proxy(self._paragon, connection)
            except SlackRefused:
                status = "INVALID"
        return Look(now, slack.enabled, status, team, slack.credential_id)

    def _other_team(self, known: Registration, look: Look) -> bool:
        """Whether another team is fixed than the one connected now; the first one is fixed here."""
        if known.team is None and look.team is not None:
            try:
                self._stores.connections.fix_team(known.connection, look.team, known.generation)
            except Rejected:
                return True
        return look.other_than(known.team)

    def _start_directories(self, known: Registration, now: int) -> None:
        """At the first look that finds Slack connected, and daily; hourly while a directory is not complete."""
        complete = {"channels": known.channels_complete_at, "users": known.users_complete_at}
        for kind, workflow in self._directories.workflows.items():
            wait = _HOUR_US if complete[kind] is None else _DAY_US
            if now < self._looks.asked_at(known.connection, kind) + wait:
                continue
            body = {
                "run_id": secrets.token_hex(16),
                "connection": known.connection,
                "callback_url": f"{self._directories.webhooks}/{kind}",
            }
            self._paragon.trigger(known.connection, workflow, body)
            self._looks.asked(known, kind, now)

    def _not_looked(self, keys: Keys, connection: str, seen: str, refusal: Unavailable | Rejected) -> str:
        """Due again when Paragon said, or after a growing while; what it rejects, in an hour."""
        schedule = self._stores.schedule
        retry_after = refusal.retry_after if isinstance(refusal, Unavailable) else _HOUR_US / _SECOND_US
        wait = schedule.backoff(keys, "look", connection, retry_after)
        next_at = clock(self._stores.client) + int(wait * _SECOND_US)
        schedule.finish(keys, "look", connection, seen, next_at=next_at)
        level = logging.ERROR if isinstance(refusal, Refused | Rejected) else logging.WARNING
        _log.log(level, "look.failed", extra={"connection": connection, "kind": type(refusal).__name__})
        return "unavailable" if isinstance(refusal, Unavailable) else "rejected"


def _blocked_since(known: Registration, before: Look | None, look: Look) -> int:
    if before is None or (before.blocks and not before.blocked_since):
        return known.registered_at
    return before.blocked_since if before.blocks else look.at


def _next_look(look: Look) -> int:
    """Who has just been registered or cut off is about to connect; who was long ago may never do it."""
    return look.at + min(EVERY_US, max(_SOONEST_US, (look.at - look.blocked_since) // 4))


def find_team(paragon: ParagonClient, connection: str) -> str:
    """The Slack team of a connection: provider data, else `auth.test` through the proxy. Raises `Unavailable`."""
    return paragon.me(connection).slack.team or _team_by_proxy(paragon, connection)


def _team_by_proxy(paragon: ParagonClient, connection: str) -> str:
    team = paragon.proxy(connection, "slack", "auth.test").get("team_id")
    if not isinstance(team, str) or not team:
        raise Unavailable("team unknown", retry_after=30.0)
    return team

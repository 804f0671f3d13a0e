"""The scheduled outgoing calls: plan pulls, trigger workflows, carry the allowlist into Paragon's metadata.

Each is safe to run twice: what counts is drawn, guarded and written in the store; a call that Paragon sees twice
has one effect.
"""

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.errors import Rejected, Unavailable
from pipeline.paragon.client import ParagonClient
from pipeline.paragon.errors import AccessRefused, SlackRefused
from pipeline.paragon.run_tokens import RunTokens
from pipeline.rules.windows import on_the_wire
from pipeline.stages.stores import Stores
from pipeline.store.client import ask
from pipeline.store.keys import Keys, shard_of_id
from pipeline.store.ledger import Attempt
from workers.names import PATCH_METADATA, TRIGGER

PAGE_LIMIT = 200
_HOUR_US = 3600 * 1_000_000
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pulls:
    """How pulls are asked for: the workflow, where its callbacks go, how often (microseconds)."""

    workflow: str
    callback_url: str
    period_us: int


class Outgoing:
    """Everything that Sluice asks of Paragon by itself."""

    def __init__(self, stores: Stores, paragon: ParagonClient, run_tokens: RunTokens, pulls: Pulls) -> None:
        self._stores, self._paragon, self._run_tokens, self._pulls = stores, paragon, run_tokens, pulls

    def dispatch(self, send: Callable[[str, str], None], *, overdue_us: int = 0) -> Counter[str]:
        """Lease what is due in every shard: plans run here, calls to Paragon are sent as tasks (name, id).

        A task that gets lost costs a minute: its item is due again.
        """
        done: Counter[str] = Counter()
        for keys in self._stores.shards.all():
            for kind, name in self._stores.schedule.lease(keys, overdue_us=overdue_us):
                match kind:
                    case "plan":
                        self.plan(name)
                    case "trigger":
                        send(TRIGGER, name)
                    case "patch":
                        send(PATCH_METADATA, name)
                done[kind] += 1
        return done

    def plan(self, connection: str) -> int:
        """Request what the connection's allowed channels lack; the number of new runs. Due again in a period."""
        stores, keys = self._stores, self._stores.shards.of(connection)
        seen, now = stores.schedule.when(keys, "plan", connection), stores.now_us()
        known = stores.connections.get(connection)
        if known is None or not known.live or known.team is None:
            if seen is not None:
                stores.schedule.finish(keys, "plan", connection, seen)
            return 0
        made = []
        if known.directory_complete:
            channels = stores.allowlists.own(connection, known.team)
            made = stores.ledger.plan(connection, known.team, channels, now)
        if seen is not None:
            stores.schedule.finish(keys, "plan", connection, seen, next_at=now + self._pulls.period_us)
        return len(made)

    def trigger(self, run_id: str) -> str:
        """Ask Paragon for a run's window; the word that tells what happened. The metadata goes first."""
        found = self._stores.ledger.get(run_id)
        if found is None:
            return "unknown"
        keys = Keys(shard_of_id(run_id))
        if self._stores.schedule.when(keys, "patch", found.connection) is not None:
            said = self.patch(found.connection)
            if said not in ("patched", "unchanged"):
                return f"metadata {said}"
        attempt = self._stores.ledger.begin(found)
        return attempt if isinstance(attempt, str) else self._ask(keys, attempt)

    def _ask(self, keys: Keys, attempt: Attempt) -> str:
        stores, run = self._stores, attempt.run
        try:
            self._paragon.trigger(run.connection, self._pulls.workflow, self._body(attempt))
        except Unavailable as outage:
            blocked = isinstance(outage, AccessRefused | SlackRefused)
            wait = stores.schedule.backoff(keys, "trigger", run.id, outage.retry_after)
            at = stores.now_us() + int(wait * 1e6)
            stores.ledger.not_asked(attempt, at, reason=outage.what, blocked=blocked)
            _log.warning("trigger.unavailable", extra={"run": run.id, "kind": outage.what})
            return "blocked" if blocked else "unavailable"
        except Rejected as refusal:
            stores.ledger.not_asked(attempt, stores.now_us() + _HOUR_US, reason=refusal.reason, blocked=True)
            _log.error("trigger.rejected", extra={"run": run.id, "reason": refusal.reason})
            return "rejected"
        stores.ledger.asked(attempt, stores.now_us())
        stores.schedule.succeeded(keys, "trigger", run.id)
        return "asked" if attempt.number == 1 else "asked again"

    def _body(self, attempt: Attempt) -> dict[str, object]:
        """The trigger's body (design.md, 8)."""
        run = attempt.run
        oldest, latest = on_the_wire(run.oldest, run.latest)
        now = self._stores.now_us() / 1e6
        token = self._run_tokens.mint(run.connection, run.id, attempt.number, attempt.epoch, attempt.generation, now)
        return {
            "run_id": run.id,
            "attempt": attempt.number,
            "run_token": token,
            "callback_url": self._pulls.callback_url,
            "channels": attempt.channels,
            "oldest": oldest,
            "latest": latest,
            "inclusive": True,
            "limit": PAGE_LIMIT,
            "include_all_metadata": True,
            "replies": True,
        }

    def patch(self, connection: str) -> str:
        """Carry the connection's own list into the Paragon user's metadata; what happened, as a word."""
        stores, keys = self._stores, self._stores.shards.of(connection)
        seen = stores.schedule.when(keys, "patch", connection)
        if seen is None:
            return "unchanged"
        known = stores.connections.get(connection)
        if known is None or not known.live:
            stores.schedule.finish(keys, "patch", connection, seen)
            return "gone"
        ours = {
            **stores.connections.metadata(connection),
            "userid": connection,
            "allowListedChannels": stores.allowlists.own(connection, known.team),
        }
        try:
            changed = self._paragon.merge_meta(connection, ours).changed
        except (Unavailable, Rejected) as refusal:
            retry_after = refusal.retry_after if isinstance(refusal, Unavailable) else 3600.0
            wait = stores.schedule.backoff(keys, "patch", connection, retry_after)
            stores.schedule.finish(keys, "patch", connection, seen, next_at=stores.now_us() + int(wait * 1e6))
            _log.warning("metadata.failed", extra={"connection": connection, "kind": type(refusal).__name__})
            return "unavailable" if isinstance(refusal, Unavailable) else "rejected"
        ask(stores.client, "HSET", keys.connection(connection), "metadata_at", stores.now_us())
        stores.schedule.finish(keys, "patch", connection, seen)
        stores.schedule.succeeded(keys, "patch", connection)
        return "patched" if changed else "unchanged"


def find_team(paragon: ParagonClient, connection: str) -> str:
    """The Slack team of a connection: provider data, else `auth.test` through the proxy. Raises `Unavailable`."""
    team = paragon.me(connection).slack.team
    if team is None:
        team = paragon.proxy(connection, "slack", "auth.test").get("team_id")
    if not isinstance(team, str) or not team:
        raise Unavailable("team unknown", retry_after=30.0)
    return team

"""The scheduled outgoing calls: plan pulls, trigger workflows, carry the allowlist into Paragon's metadata.

Each is safe to run twice: what counts is drawn, guarded and written in the store; a call that Paragon sees twice
has one effect.
"""

import logging
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.connection import split_connection
from pipeline.errors import Refused, Rejected, Unavailable
from pipeline.paragon.client import ParagonClient
from pipeline.paragon.run_tokens import RunTokens
from pipeline.rules.regimes import Regime
from pipeline.rules.windows import on_the_wire
from pipeline.stages.stores import Stores
from pipeline.store.client import clock
from pipeline.store.keys import Keys, shard_of_id
from pipeline.store.looks import Looks
from pipeline.store.removals import Removals
from pipeline.store.runs import Attempt, Run
from pipeline.store.schedule import Leased
from workers.metadata import ours
from workers.names import LOOK, PATCH_METADATA, TELL, TRIGGER
from workers.places import SOON_US, Places

HALVED_AFTER = 3
"""Attempts that a window gets before it is asked for in halves."""
MISSED_AFTER = 4
"""Attempts that a reading gets which is only to see what has changed: with the growing waits a few hours."""
_BLOCKED_US = 30 * 1_000_000
_JITTER = 0.1
_FRESH = 0.8
"""After this part of a period what came since is asked for; a plan may run sooner for the sake of what is older."""
_HOUR_US = 3600 * 1_000_000
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pulls:
    """How pulls are asked for: the workflow, where its callbacks go, how many at a time."""

    workflow: str
    callback_url: str
    at_once: int = 200


class Outgoing:
    """Everything that Sluice asks of Paragon by itself."""

    def __init__(self, stores: Stores, paragon: ParagonClient, run_tokens: RunTokens, pulls: Pulls) -> None:
        self._stores, self._paragon, self._run_tokens, self._pulls = stores, paragon, run_tokens, pulls
        self._looks = Looks(stores.client, stores.shards)
        self._rates, self._places = stores.rates, Places(stores, pulls.at_once)
        self._removals = Removals(stores.client, stores.shards, stores.vault)

    def dispatch(self, send: Callable[[str, str], None], *, overdue_us: int = 0) -> Counter[str]:
        """Lease what is due in every shard: plans run here, calls to Paragon are sent as tasks (name, id).

        A task that gets lost costs a minute: its item is due again.
        """
        done, windows = Counter[str](), list[Leased]()
        for one in self._leased(overdue_us):
            match one.kind:
                case "plan":
                    pass
                case "status":
                    self.tell(one.name)
                case "trigger" | "backfill":
                    windows.append(one)
                    continue
                case "patch":
                    send(PATCH_METADATA, one.name)
                case "look":
                    send(LOOK, one.name)
                case "events":
                    send(TELL, one.name)
                case "removal":
                    self._removals.look(one.name)
            done[one.kind] += 1
        return done + self._trigger_some(windows, send)

    def _leased(self, overdue_us: int) -> list[Leased]:
        """What is due, with what its plans have just made due; the plans have run."""
        schedule = self._stores.schedule
        items = schedule.lease_all(overdue_us=overdue_us)
        planned = [(one, *self._planned(one.name)) for one in items if one.kind == "plan"]
        schedule.finish_all((one, next_at) for one, _, next_at in planned)
        return items + (schedule.lease_all(overdue_us=overdue_us) if any(made for _, made, _ in planned) else [])

    def _trigger_some(self, windows: list[Leased], send: Callable[[str, str], None]) -> Counter[str]:
        """Those whose turn it is; the others are due again before long."""
        turns = self._places.share(windows)
        for one in turns.go:
            send(TRIGGER, one.name)
        self._stores.schedule.finish_all(turns.wait)
        return Counter(one.kind for one in turns.go) + Counter(waiting=len(turns.wait))

    def plan(self, connection: str) -> int:
        """Request what the connection's allowed channels lack; the number of new runs. Due again in a period."""
        schedule, keys = self._stores.schedule, self._stores.shards.of(connection)
        seen = schedule.when(keys, "plan", connection)
        made, next_at = self._planned(connection)
        if seen is not None:
            schedule.finish(keys, "plan", connection, seen, next_at=next_at)
        return made

    def _planned(self, connection: str) -> tuple[int, int | None]:
        """How many runs a plan has made, and when the next one is due; None for a connection that is no more."""
        stores, now = self._stores, clock(self._stores.client)
        known = stores.connections.get(connection)
        if known is None or not known.live or known.team is None:
            return 0, None
        made: list[str] = []
        period = stores.pull_plans.outlook(known, stores.allowlists.own(connection, known.team)).period
        if known.directory_complete and not stores.pauses.of(connection):
            regime = self._rates.regime(split_connection(connection)[1], known.team)
            pullable = stores.allowlists.pullable(connection, known.team)
            made = stores.ledger.plan(connection, known.team, pullable, now, regime, fresh=int(period * _FRESH))
        return len(made), now + int(period * random.uniform(1.0 - _JITTER, 1.0))

    def tell(self, connection: str) -> int:
        """Tell the mesh how far the connection's pulls have come; the number of channels."""
        keys, schedule = self._stores.shards.of(connection), self._stores.schedule
        seen = schedule.when(keys, "status", connection)
        count = self._stores.sync_statuses.tell(connection)
        if seen is not None:
            schedule.finish(keys, "status", connection, seen)
        return count

    def trigger(self, run_id: str) -> str:
        """Ask Paragon for a run's window; the word that tells what happened. The metadata goes first."""
        found = self._stores.ledger.get(run_id)
        if found is None:
            self._forget(run_id)
            return "unknown"
        if self._stores.pauses.of(found.connection):
            return "paused"  # looked at again when the lease ends, in a minute
        keys = Keys(shard_of_id(run_id))
        look = self._looks.get(found.connection)
        if look is not None and look.blocks:
            self._stores.ledger.runs.block(found, clock(self._stores.client) + _BLOCKED_US, look.blocks)
            return look.blocks
        said = self._metadata_first(keys, found)
        if said is not None:
            return f"metadata {said}"
        if ended := self._in_vain(found):
            return ended
        regime = self._rates.regime(split_connection(found.connection)[1], found.team)
        direct = self._stores.allowlists.direct(found.connection, found.team, found.channels)
        credential = (look.credential if look else None) or ""
        attempt = self._stores.ledger.runs.begin(found, regime, credential, direct)
        match attempt:
            case "metadata":
                self._wait_for_metadata(keys, found)
            case "given_up":
                # A window that stays open: somebody must look. It is asked once a day from now on.
                facts = {"run": run_id, "connection": found.connection, "attempts": found.attempt}
                _log.error("pull.given_up", extra=facts)
        return attempt if isinstance(attempt, str) else self._ask(keys, attempt, regime)

    def _in_vain(self, found: Run) -> str | None:
        """End what never comes whole, once its newest attempt has had its time: a window is asked for in halves, a
        reading that is only to look again waits for another night.
        """
        ledger, now = self._stores.ledger, clock(self._stores.client)
        if not ledger.runs.waited(found, now):
            return None
        if found.unfinished >= HALVED_AFTER and ledger.halve(found, now):
            return "halved"
        return "missed" if found.tries >= MISSED_AFTER and ledger.rereads.missed.abandon(found, now) else None

    def _forget(self, run_id: str) -> None:
        """Take a run that is no more out of the schedule, or it would be due for ever."""
        try:
            keys = Keys(shard_of_id(run_id))
        except ValueError:
            return
        for kind in ("trigger", "backfill"):
            seen = self._stores.schedule.when(keys, kind, run_id)
            if seen is not None:
                self._stores.schedule.finish(keys, kind, run_id, seen)

    def _metadata_first(self, keys: Keys, run: Run) -> str | None:
        """PATCH what is due, so that a removal is known to Paragon before the next trigger; None: go on.

        Where it fails, or waits after a failure, the trigger waits as long: Paragon said when to come back.
        """
        schedule, connection = self._stores.schedule, run.connection
        due = schedule.when(keys, "patch", connection)
        if due is None:
            return None
        said = "waits"
        if not (schedule.failing(keys, "patch", connection) and int(due) > clock(self._stores.client)):
            said = self.patch(connection)
        if said in ("patched", "unchanged", "gone"):
            return None
        self._wait_for_metadata(keys, run)
        return said

    def _wait_for_metadata(self, keys: Keys, run: Run) -> None:
        """Put the trigger to a moment from now or, where the metadata failed, to when that is tried again."""
        schedule, soon = self._stores.schedule, clock(self._stores.client) + SOON_US
        due, seen = schedule.when(keys, "patch", run.connection), schedule.when(keys, run.item, run.id)
        if seen is not None:
            failing = due is not None and schedule.failing(keys, "patch", run.connection)
            schedule.finish(keys, run.item, run.id, seen, next_at=int(due or 0) if failing else soon)

    def _ask(self, keys: Keys, attempt: Attempt, regime: Regime) -> str:
        stores, run = self._stores, attempt.run
        try:
            self._looks.hold_to(run.connection, run.team)
            self._paragon.trigger(run.connection, self._pulls.workflow, self._body(attempt, regime))
        except Unavailable as outage:
            refused = isinstance(outage, Refused)
            wait = stores.schedule.backoff(keys, run.item, run.id, outage.retry_after)
            at = clock(stores.client) + int(wait * 1e6)
            stores.ledger.runs.not_asked(attempt, at, reason=outage.what, blocked=refused)
            if refused:
                stores.schedule.sooner(keys, "look", run.connection, clock(stores.client))
            level = logging.ERROR if refused else logging.WARNING  # a refusal needs an operator, an outage time
            _log.log(level, "trigger.unavailable", extra={"run": run.id, "kind": outage.what})
            return "blocked" if refused else "unavailable"
        except Rejected as refusal:
            # Soon at first: a user who was cut off for a moment is found connected by the looks before and after.
            wait = stores.schedule.backoff(keys, run.item, run.id, None)
            at = clock(stores.client) + int(wait * 1e6)
            stores.ledger.runs.not_asked(attempt, at, reason=refusal.reason, blocked=True)
            # Perhaps the user has disconnected Slack: once he has connected it again, this is asked for at once.
            stores.schedule.sooner(keys, "look", run.connection, clock(stores.client))
            _log.error("trigger.rejected", extra={"run": run.id, "reason": refusal.reason})
            return "rejected"
        stores.ledger.runs.asked(attempt, clock(stores.client))
        stores.schedule.succeeded(keys, run.item, run.id)
        return "asked" if attempt.number == 1 else "asked again"

    def _body(self, attempt: Attempt, regime: Regime) -> dict[str, object]:
        """The trigger's body (design.md, 8)."""
        run = attempt.run
        oldest, latest = on_the_wire(run.oldest, run.latest)
        now = self._stores.now_us() / 1e6  # what the API will hold it against is a machine's clock, not the store's
        token = self._run_tokens.mint(run.connection, run.id, attempt.number, attempt.epoch, attempt.generation, now)
        thread = {"thread_ts": run.thread_ts} if run.thread_ts else {}
        return {
            "run_id": run.id,
            "attempt": attempt.number,
            "run_token": token,
            "callback_url": self._pulls.callback_url,
            "channels": attempt.channels,
            "oldest": oldest,
            "latest": latest,
            "inclusive": True,
            "limit": regime.limit,
            "include_all_metadata": True,
            "replies": run.replies,
            **thread,
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
        try:
            wanted = {**stores.connections.metadata(connection), **ours(stores, known)}
            changed = self._paragon.merge_meta(connection, wanted).changed
        except (Unavailable, Rejected) as refusal:
            return self._not_patched(keys, connection, seen, refusal)
        stores.schedule.succeeded(keys, "patch", connection)
        if not stores.connections.carried(known, clock(stores.client)):
            stores.schedule.sooner(keys, "patch", connection, clock(stores.client))
            return "changed meanwhile"
        return "patched" if changed else "unchanged"

    def _not_patched(self, keys: Keys, connection: str, seen: str, refusal: Unavailable | Rejected) -> str:
        """Due again when Paragon said, or after a growing while; what it rejects, in an hour."""
        stores, outage = self._stores, isinstance(refusal, Unavailable)
        retry_after = refusal.retry_after if isinstance(refusal, Unavailable) else _HOUR_US / 1e6
        wait = stores.schedule.backoff(keys, "patch", connection, retry_after)
        next_at = clock(stores.client) + int(wait * 1e6)
        stores.schedule.finish(keys, "patch", connection, seen, next_at=next_at)
        needs_somebody = isinstance(refusal, Refused | Rejected)
        level = logging.ERROR if needs_somebody else logging.WARNING
        _log.log(level, "metadata.failed", extra={"connection": connection, "kind": type(refusal).__name__})
        return "unavailable" if outage else "rejected"

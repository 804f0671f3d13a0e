"""The inbox conserves: whatever happens in whatever order, every allowed record of an acknowledged callback is in the
mesh, in the dead letters, or still waits; and no record is applied twice.

A model drives the real store and the real stages step by step: appends, drains that crash, freeze, lose their lease
or the answer to their settle, a mesh that refuses or loses its answer, a store that is killed or full, a list that
changes under way. `INBOX_MODEL=long` runs for minutes instead of seconds.
"""

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from inbox_drains import Drains, same_mark
from inbox_world import (
    ANN,
    EFFECTS,
    FICKLE,
    FIXED,
    MEMBERS,
    ROB,
    SECRET,
    STAMPS,
    Found,
    Sent,
    World,
    below,
    members,
    messages,
)
from sluice import ORG

from cli.embedded import EmbeddedServer
from pipeline.errors import Unavailable
from pipeline.store.connections import draw_epoch
from pipeline.store.inbox import CRASHES_BEFORE_DEATH, LeaseLostError
from pipeline.store.scripts import Changes

USERS = "users"
CALLBACKS = st.tuples(
    st.sampled_from([FIXED, FIXED, FICKLE, SECRET, USERS]),
    st.lists(st.sampled_from(STAMPS), min_size=1, max_size=3, unique=True),
    st.sampled_from([0, 0, 1]),
    st.integers(0, 5),
)
"""Channel (or users), the messages' ts, how many without identity, and which run's epoch."""

PHASES = st.sampled_from(["leased", "open", "mapped", "delivered"])

LONG = os.environ.get("INBOX_MODEL") == "long"
pytestmark = pytest.mark.timeout(3600 if LONG else 240)


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    """A store of our own, since it is killed; in memory where that is possible, since fsync is not what is tested."""
    shm = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="inbox-model-", dir=shm if os.access(shm, os.W_OK) else None))
    try:
        with EmbeddedServer(folder) as made:
            yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class InboxMachine(Drains, RuleBasedStateMachine):
    """`hand` is the drain that has the lease; `ghost` one that lost it and does not know."""

    server: ClassVar[EmbeddedServer]

    @initialize(fragile=st.integers(0, 3).map(lambda n: n == 0))
    def begin_with_an_empty_store(self, fragile: bool) -> None:
        world = World(self.server.url)
        self.begin(world)
        self.fragile, self.full = fragile, False
        self.fences: list[tuple[int, str]] = []
        self.epochs = [draw_epoch(world.client, world.keys, ORG) for _ in range(2)]

    # The outside: callbacks, the admin, the store.

    @rule(member=st.sampled_from(MEMBERS), callbacks=st.lists(CALLBACKS, min_size=1, max_size=4))
    def append(self, member: str, callbacks: list[tuple[str, list[str], int, int]]) -> None:
        for channel, stamps, bad, number in callbacks:
            epoch = self.epochs[number % len(self.epochs)]
            if channel == USERS:
                callback, records = members(["U1", f"U{bad}"], epoch)
                self._append(member, callback, Sent("", "users", None, records, 0), epoch)
            else:
                callback, records = messages(channel, stamps, bad, epoch)
                self._append(member, callback, Sent("", "messages", channel, records, bad), epoch)

    def _append(self, member: str, callback: dict[str, Any], sent: Sent, epoch: int) -> None:
        if self.full:
            with pytest.raises(Unavailable):
                self.world.send(member, callback, epoch)
            return
        sent.receipt = self.world.send(member, callback, epoch)
        self.sent[sent.receipt] = sent

    @rule()
    def a_run_draws_an_epoch(self) -> None:
        self.epochs.append(draw_epoch(self.world.client, self.world.keys, ORG))

    @rule()
    def the_admin_changes_her_mind(self) -> None:
        if FICKLE in self.listed:
            change = self.world.allow(connection=ANN)
            epoch = int(self.world.client.hget(self.world.keys.org(ORG), "epoch") or 0)
            self.fences.append((epoch, change.receipt))
            self.sent[change.receipt] = Sent(change.receipt, "effect", None, [("", "")] * 2, 0)
        else:
            self.world.allow(FICKLE, connection=ANN)
        self.listed ^= {FICKLE}

    @precondition(lambda self: self.fragile)
    @rule()
    def the_store_is_killed_and_comes_back(self) -> None:
        self.fragile = False
        self.server.kill()
        self.server.start()
        self.world.reconnect()
        self.full = False

    @precondition(lambda self: not self.full)
    @rule()
    def the_store_fills_up(self) -> None:
        self.world.client.config_set("maxmemory", 1)
        self.full = True

    @precondition(lambda self: self.full)
    @rule()
    def the_store_has_room_again(self) -> None:
        self.world.client.config_set("maxmemory", 0)
        self.full = False

    @rule()
    def time_passes(self) -> None:
        """What was parked is due again."""
        parked = self.world.client.hkeys(self.world.keys.parked)
        changes = Changes()  # These scripts may write to a full store; a plain command may not.
        for member in parked:
            changes.do("ZADD", self.world.keys.ready_of(member.decode()), "XX", 1, member)
        changes.commit(self.world.client)

    # A drain, step by step.

    @precondition(lambda self: self.hand is None)
    @rule(meanwhile=st.sampled_from(["nothing", "the list changes"]), at=PHASES)
    def a_drain_works_to_the_end(self, meanwhile: str, at: str) -> None:
        self._work_until(at)
        if meanwhile == "the list changes":
            self.the_admin_changes_her_mind()
        self._work_until(None)

    @precondition(lambda self: self.hand is None and not self.full and FICKLE in self.listed)
    @rule(member=st.sampled_from(MEMBERS), at=PHASES)
    def a_revocation_overtakes_a_batch(self, member: str, at: str) -> None:
        self.append(member, [(FICKLE, STAMPS[:2], 0, 0)])
        self._work_until(at)
        self.the_admin_changes_her_mind()
        self._work_until(None)

    @precondition(lambda self: self.hand is None and self.ghost is None)
    @rule(at=PHASES)
    def a_drain_is_overtaken(self, at: str) -> None:
        """It freezes, another does its work, and it wakes when the same batch was settled, or nearly."""
        self._work_until(at)
        if self.hand is not None:
            self.it_freezes_past_its_lease()
            self._work_until("leased")
            self._work_until("delivered")
            self.the_frozen_one_wakes_and_settles_nothing()

    def _work_until(self, phase: str | None) -> None:
        """At least one step, then on to that phase; or to the end, where nothing more is due."""
        self.a_drain_works(steps=1, mood="well", answer="heard")
        while self.hand is not None and self.hand.phase != phase:
            self.a_drain_works(steps=1, mood="well", answer="heard")

    @rule(
        steps=st.integers(1, 12),
        mood=st.sampled_from(["well", "well", "refuses", "loses", "refuses the second", "loses the second"]),
        answer=st.sampled_from(["heard", "heard", "lost", "lost and the worker with it"]),
    )
    def a_drain_works(self, steps: int, mood: str, answer: str) -> None:
        """It goes on from where it was; what it meets on its way is a mesh in that mood, and an answer like that."""
        for _ in range(steps):
            self.step(mood, answer)
            self.the_inbox_conserves()

    # What goes wrong with it.

    @precondition(lambda self: self.hand is not None)
    @rule()
    def a_second_drain_finds_the_shard_busy(self) -> None:
        assert self.world.drain() == Counter(busy=1)

    @rule(times=st.sampled_from([1, 2, 7, 12]))
    def it_crashes(self, times: int) -> None:
        """And so do the drains after it, with whatever they take."""
        for _ in range(times):
            self.expire()
            self.take_the_lease()
            self.take_a_batch()
            if self.hand is None:
                return
            if self.hand.taken.crashes < CRASHES_BEFORE_DEATH:  # The others are not opened, so they crash nobody.
                self.expire()
            else:
                self.a_drain_works(steps=3, mood="well", answer="heard")

    @precondition(lambda self: self.hand is not None and self.ghost is None)
    @rule()
    def it_freezes_past_its_lease(self) -> None:
        self.ghost = self.hand
        self.expire()

    @precondition(lambda self: self.ghost is not None)
    @rule()
    def the_frozen_one_wakes_and_settles_nothing(self) -> None:
        ghost, self.ghost = self.ghost, None
        event(f"frozen when {ghost.phase}")
        with pytest.raises(LeaseLostError):
            self.go_on_as_if_nothing_had_happened(ghost)

    # What holds after every step.

    @invariant()
    def the_inbox_conserves(self) -> None:
        found = self.world.look()
        waiting = set().union(*found.waiting.values())
        assert waiting == set(self.sent) - set(self.settled), "each callback waits or was settled, once"
        assert {r: s for r, s in found.states.items() if r in self.sent} == dict.fromkeys(
            self.sent, "waiting"
        ) | self.settled
        assert found.counters == self.counters
        assert found.suspects == self.suspects
        assert found.mark is None if self.mark is None else same_mark(found.mark, self.mark)
        assert {member for member, receipts in found.waiting.items() if receipts} <= found.ready, "somebody will come"
        self._every_record_is_somewhere(found, waiting)
        self._nothing_is_applied_twice()
        self._nothing_leaks()

    def _every_record_is_somewhere(self, found: Found, waiting: set[str]) -> None:
        mesh = {m: self.world.mesh.everything(ORG, "slack", m) for m in ("message", "user")}
        buried = {(letter["receipt"], letter["id"]) for letter in found.letters}
        crashed = {letter["receipt"] for letter in found.letters if letter["reason"] == "crashes"}
        for sent in (self.sent[receipt] for receipt in self.settled if self.settled[receipt] != "nothing_allowed"):
            if sent.kind == "effect" or sent.receipt in crashed:
                continue
            for name, version in sent.records:
                kept = mesh["message" if sent.kind == "messages" else "user"].get(name)
                somewhere = (kept is not None and kept["version"] >= version) or (sent.receipt, name) in buried
                assert somewhere or self._ended(sent, (name, version)), f"{name} of {sent.receipt} is lost"

    def _ended(self, sent: Sent, record: tuple[str, str]) -> bool:
        return sent.channel == FICKLE and any(below(record, fence) for fence, _ in self.fences)

    def _nothing_is_applied_twice(self) -> None:
        for model in ("message", "user", "retraction"):
            log = self.world.mesh.effects(ORG, "slack", model)
            applied = Counter((e.id, e.version) for e in log if e.outcome != "retracted")
            assert all(times == 1 for times in applied.values()), applied

    def _nothing_leaks(self) -> None:
        """A channel never allowed is nowhere; of a revoked one nothing lives below a fence that has arrived."""
        arrived = [fence for fence, receipt in self.fences if self.settled.get(receipt) == "delivered"]
        for name, record in self.world.live().items():
            assert f":{SECRET}:" not in name
            if f":{FICKLE}:" in name:
                assert not any(below((name, record["version"]), fence) for fence in arrived)

    def teardown(self) -> None:
        """In the end everything that waits arrives."""
        if not hasattr(self, "world"):
            return
        try:
            self._finish()
        finally:
            self.world.client.config_set("maxmemory", 0)
            self.world.client.flushall()
            self.world.close()

    def _finish(self) -> None:
        self.expire()
        self.time_passes()
        assert "lease_lost" not in self.world.drain()
        assert self.world.look().waiting == {ROB: set(), ANN: set(), EFFECTS: set()}


def test_the_inbox_conserves_whatever_happens(server: EmbeddedServer) -> None:
    InboxMachine.server = server
    run_state_machine_as_test(
        InboxMachine,
        settings=settings(
            max_examples=100 if LONG else 200,
            stateful_step_count=100 if LONG else 30,
            deadline=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, Phase.shrink],
        ),
    )

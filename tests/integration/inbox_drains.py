"""How the inbox's model test drives drains, and reckons what each step must do to the store."""

from collections import Counter

from hypothesis import event
from inbox_world import FICKLE, FIXED, Hand, Sent, World, end_of, json_of

from pipeline.stages import settle_entries
from pipeline.store.inbox import Inbox
from pipeline.store.shard import Lease

Mark = tuple[str, list[str], bool]


class Drains:
    """`hand` is the drain that has the lease; `ghost` one that lost it and does not know."""

    def begin(self, world: World) -> None:
        self.world = world
        self.hand: Hand | None = None
        self.ghost: Hand | None = None
        self.sent: dict[str, Sent] = {}
        self.settled: dict[str, str] = {}
        self.listed = {FIXED, FICKLE}
        self.mark: Mark | None = None
        self.suspects: dict[tuple[str, str], int] = {}
        self.counters: Counter[str] = world.look().counters

    def step(self, mood: str, answer: str) -> None:
        """One arrow of the drawing, from wherever the drain is."""
        match self.hand.phase if self.hand else None:
            case None:
                self.take_the_lease()
            case "leased":
                self.take_a_batch()
            case "open":
                self.map()
            case "mapped":
                self.deliver(mood)
            case "delivered":
                self.settle(answer)

    def take_the_lease(self) -> None:
        lease = Lease(self.world.client, self.world.keys)
        assert lease.take()
        inbox = Inbox(self.world.client, lease)
        member, ids, alone = self.mark or ("", [], False)
        assert inbox.find_crash() == len(ids)
        for entry in ids:
            self.suspects[member, entry] = self.suspects.get((member, entry), 0) + alone
        self.mark, self.hand = None, Hand(lease, inbox)

    def take_a_batch(self) -> None:
        hand = self._hand()
        assert hand.lease.renew()
        taken = hand.inbox.take()
        if taken is None:
            hand.lease.release()
            self.hand = None
            return
        known = [self.suspects.get((taken.member, entry.id)) for entry in taken.entries]
        assert (known == [taken.crashes]) if taken.alone else (set(known) == {None}), "suspects are taken alone"
        hand.inbox.mark(taken)
        hand.taken, hand.phase = taken, "open"
        self.mark = (taken.member, [entry.id for entry in taken.entries], taken.alone)

    def map(self) -> None:
        hand = self._hand()
        hand.listed = [set(self.listed)]
        hand.open(self.world.stores)
        self.mark = None
        if hand.taken.alone:
            self.suspects.pop((hand.taken.member, hand.taken.entries[0].id), None)

    def deliver(self, mood: str) -> None:
        hand = self._hand()
        hand.listed.append(set(self.listed))
        self.world.mesh.mood = mood
        hand.deliver(self.world.stores)
        self.world.mesh.mood = "well"

    def settle(self, answer: str) -> None:
        hand = self._hand()
        settle_entries(self.world.stores, hand.inbox, hand.batch)
        self.book(hand)
        if answer == "lost":
            said = settle_entries(self.world.stores, hand.inbox, hand.batch)
            assert set(said) <= {"already", "held"}
        if "worker" in answer:
            self.expire()
        else:
            self.hand = Hand(hand.lease, hand.inbox)

    def book(self, hand: Hand) -> None:
        """What this settle ended, by the model's own reckoning."""
        held = sum(work.held is not None for work in hand.batch.works)
        event("held: " + ("all" if held == len(hand.batch.works) else "some" if held else "none"))
        for work in (work for work in hand.batch.works if work.held is None):
            sent = self.sent[work.header.receipt]
            state, counts = end_of(sent, hand.listed, hand.taken.crashes)
            self.settled[sent.receipt] = state
            event(f"{sent.kind} ended as {state}, taken {'alone' if hand.taken.alone else 'in company'}")
            self.counters += counts

    def expire(self) -> None:
        """Nobody renews the lease of a dead worker: it runs out. A mark stays."""
        self.world.client.delete(self.world.keys.state)
        self.hand = None

    def go_on_as_if_nothing_had_happened(self, ghost: Hand) -> None:
        """A drain that lost its lease, from where it froze to the first thing that tells it so."""
        if ghost.phase == "leased":
            ghost.inbox.take()
        if ghost.phase == "open":
            ghost.open(self.world.stores)
        if ghost.phase == "mapped":
            ghost.deliver(self.world.stores)
        settle_entries(self.world.stores, ghost.inbox, ghost.batch)

    def _hand(self) -> Hand:
        assert self.hand is not None
        return self.hand


def same_mark(found: bytes | None, mark: tuple[str, list[str], bool]) -> bool:
    return found is not None and json_of(found) == {"member": mark[0], "ids": mark[1], "alone": mark[2]}

"""Several connections of one organisation and team, in every order of allowing, revoking, ending and coming back, held
against a model of a few lines: the list is the union, and in the mesh is what was asked for since it last had somebody.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from sluice import ORG, TEAM, Sluice, page

from pipeline.store.connections import draw_epoch

NAMES = [f"{user}/{ORG}" for user in ("rob", "ann", "eve")]
ELSEWHERE = f"kim/{ORG}"
TS = {name: f"170000000{number}.000100" for number, name in enumerate([*NAMES, ELSEWHERE])}
CHANNELS = {"kind": "channels", "channels": [{"id": "C1", "name": "plans"}], "cursor": "", "next_cursor": ""}
Op = tuple[str, str]
Token = tuple[str, int, int, int]
"""A connection and its generation; an epoch, and the model's own place of it in the order of events."""


def in_every_order(ops: Sequence[Op], length: int) -> Iterator[Op]:
    """A sequence in which every sequence of this length occurs, round and round: de Bruijn's."""
    word = [0] * len(ops) * length

    def grow(t: int, p: int) -> Iterator[int]:
        if t > length:
            if length % p == 0:
                yield from word[1 : p + 1]
            return
        word[t] = word[t - p]
        yield from grow(t + 1, p)
        for letter in range(word[t - p] + 1, len(ops)):
            word[t] = letter
            yield from grow(t + 1, t)

    found = list(grow(1, 1))
    return (ops[letter] for letter in [*found, *found[: length - 1]])


class Model:
    """What has to hold. Times are places in the order of events."""

    def __init__(self) -> None:
        self.at = 0
        self.generations = dict.fromkeys(NAMES, 0)
        self.live = dict.fromkeys(NAMES, False)
        self.since: dict[str, int] = {}
        self.fence = 0
        self.read: dict[str, int] = {}

    def tick(self) -> int:
        self.at += 1
        return self.at

    def toggle(self, name: str) -> None:
        self.register(name)
        if name in self.since:
            self._leave(name)
        else:
            self.since[name] = self.tick()

    def end(self, name: str) -> None:
        """End it, or register it anew."""
        if not self.live[name]:
            return self.register(name)
        self.live[name] = False
        self.generations[name] += 1
        return self._leave(name)

    def register(self, name: str) -> None:
        self.live[name] = True
        self.generations[name] = max(1, self.generations[name])

    def _leave(self, name: str) -> None:
        if self.since.pop(name, None) is not None and not self.since:
            self.fence = self.tick()

    def page(self, name: str, generation: int, at: int) -> None:
        if self.live[name] and generation == self.generations[name] and self.since:
            self.read[name] = max(at, self.read.get(name, 0))

    @property
    def alive(self) -> set[str]:
        return {f"{TEAM}:C1:{TS[name]}" for name, at in self.read.items() if at > self.fence}

    @property
    def allowed_by(self) -> list[str]:
        """Whose word is the oldest."""
        return sorted(self.since, key=self.since.__getitem__)[:1]


class Story:
    """The same with a Sluice. Of what is asked for before a change one page waits through it, one comes after it, and
    one after the next.
    """

    def __init__(self, sluice: Sluice) -> None:
        self.sluice, self.model = sluice, Model()
        self.late: list[Token] = []
        self.told = "-"

    def step(self, what: str, name: str) -> None:
        was_live, before = self.model.live[name], set(self.model.since)
        tokens, late = self.drawn(), self.late
        self.arrive(tokens)
        getattr(self, what)(name)
        getattr(self.model, what)(name)
        self.arrive([one for one in [*late, *tokens] if self.model.live[one[0]]])
        self.late = tokens
        fresh = self.drawn()
        self.arrive(fresh)
        for connection, generation, _, at in [*tokens, *late, *fresh]:
            self.model.page(connection, generation, at)
        self.sluice.drain()
        self.holds()
        self.told_once(name, was_live=was_live, before=before)

    def drawn(self) -> list[Token]:
        """The live connections are asked."""
        keys, model = self.sluice.keys, self.model
        return [
            (name, model.generations[name], draw_epoch(self.sluice.client, keys, ORG), model.tick())
            for name in NAMES
            if model.live[name]
        ]

    def arrive(self, tokens: list[Token]) -> None:
        pages = [
            page("C1", TS[name]) | {"connection": name, "gen": generation, "epoch": epoch}
            for name, generation, epoch, _ in tokens
        ]
        self.sluice.receive(*pages)

    def toggle(self, name: str) -> None:
        if not self.model.live[name]:
            self.register(name)
        self.sluice.allow(*([] if name in self.model.since else ["C1"]), connection=name)

    def end(self, name: str) -> None:
        if self.model.live[name]:
            self.sluice.disconnect(name, by="test")
        else:
            self.register(name)

    def register(self, name: str) -> None:
        self.sluice.register(name)
        self.sluice.receive(CHANNELS | {"connection": name, "run_id": f"r{self.model.at}"})

    def holds(self) -> None:
        sluice, model = self.sluice, self.model
        allowed = sluice.stores.allowlists.effective(ORG, TEAM)
        assert {one: sorted(by) for one, by in allowed.channels.items()} == (
            {"C1": sorted(model.since)} if model.since else {}
        )
        assert set(sluice.live()) == model.alive | {f"T2:C1:{TS[ELSEWHERE]}"}
        records = [one for one in sluice.live("allowed_slack_channel").values() if one["team"] == TEAM]
        assert [one["allowed_by"] for one in records] == model.allowed_by
        assert sluice.client.xlen(sluice.keys.dead) == 0

    def told_once(self, name: str, *, was_live: bool, before: set[str]) -> None:
        """Each change is one entry: who, when, from what, to what."""
        rows = self.sluice.client.xrange(self.sluice.keys.audit, min=self.told)
        entries = [json.loads(row[b"e"]) for _, row in rows if rows]
        self.told = f"({rows[-1][0].decode()}" if rows else self.told
        wanted = ["connection.registered"] if not was_live else []
        wanted += ["connection.disconnected"] if was_live and not self.model.live[name] else []
        changed = set(self.model.since) ^ before and self.model.live[name]
        wanted += ["allowlist.changed"] if changed else []
        assert [one["event"] for one in entries] == wanted
        assert all(one["connection"] == name and one["by"] == "test" and one["at"] for one in entries)
        if changed:
            said: dict[str, Any] = entries[-1]
            added = ["C1"] if name in self.model.since else []
            assert (said["channels_added"], said["channels_removed"]) == (added, [] if added else ["C1"])
            known = self.sluice.stores.connections.get(name)
            assert known is not None
            assert (said["from"], said["to"]) == (known.list_version - 1, known.list_version)


@pytest.mark.parametrize(("connections", "length"), [(2, 4), (3, 3)])
def test_the_list_is_the_union_and_the_mesh_has_what_was_read_under_it(
    sluice: Sluice, connections: int, length: int
) -> None:
    """Each order of so many changes, from wherever the one before has left them. Another team of the organisation
    allows the same channel all the time, and has no part in it.
    """
    sluice.register(ELSEWHERE, team="T2")
    sluice.allow("C1", connection=ELSEWHERE)
    sluice.receive(page("C1", TS[ELSEWHERE]) | {"connection": ELSEWHERE})
    sluice.drain()
    story = Story(sluice)
    story.told = f"({sluice.client.xrevrange(sluice.keys.audit, count=1)[0][0].decode()}"
    ops = [(what, name) for name in NAMES[:connections] for what in ("toggle", "end")]
    for what, name in in_every_order(ops, length):
        story.step(what, name)
    assert story.model.fence

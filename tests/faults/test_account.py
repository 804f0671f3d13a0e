"""The account and the leak search, held to worlds that are wrong on purpose: a count must be able to fail."""

import gzip
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
import zstandard

from cli import balance, leaks
from cli.walk import Player, Walk

ROB = Player("rob@example.com/org1", 0)
LISTS = {"org1": {"C1"}}
EPOCH = 1_764_000_000_000_000


def version(revision: int, epoch: int = EPOCH) -> str:
    return f"{epoch:016d}{revision:016d}"


def sent(channel: str, *revisions: int, receipt: str = "r1") -> dict[str, Any]:
    """A line of the sender's ledger with one record for each revision."""
    records = [[f"{n}.000000", str(n)] for n in revisions]
    line = {"kind": "messages", "connection": ROB.connection, "team": "T1", "channel": channel, "epoch": EPOCH}
    return {**line, "receipt": receipt, "records": records}


@dataclass
class World:
    """A small one that balances: two messages of C1 arrived, one of C2 was dropped."""

    ledger: list[dict[str, Any]] = field(default_factory=lambda: [
        sent("C1", 1, 2), sent("C2", 3, receipt="r2"),
        {"kind": "users", "connection": ROB.connection, "team": "T1", "records": [["U1", "0"]]},
        {"kind": "channels", "connection": ROB.connection, "team": "T1", "records": [["C1", "0"], ["C2", "0"]]},
    ])  # fmt: skip
    messages: dict[str, str] = field(
        default_factory=lambda: {"T1:C1:1.000000": version(1), "T1:C1:2.000000": version(2)}
    )
    users: list[str] = field(default_factory=lambda: ["T1:U1", "connection:rob@example.com"])
    channels: list[str] = field(default_factory=lambda: ["T1:C1"])
    effects: list[tuple[str, str]] | None = None
    letters: list[dict[str, Any]] = field(default_factory=list)
    counters: dict[str, int] = field(
        default_factory=lambda: {"delivered.message": 2, "dropped.not_allowed.message": 1, "delivered.user": 2}
    )
    notices: int = 0
    retried: int = 0

    def settled(self) -> balance.Account:
        return balance.settle(cast(Walk, _Routes(self)), [ROB], LISTS)


class _Routes:
    """As much of `Walk` as the account asks."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.api = httpx.Client(transport=httpx.MockTransport(self._api), base_url="http://api.test")
        self.simulator = httpx.Client(transport=httpx.MockTransport(self._simulator), base_url="http://sim.test")

    def _api(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/dead-letters":
            return httpx.Response(200, json={"dead_letters": self.world.letters})
        return httpx.Response(200, json={"dropped": {"notice.message": self.world.notices}})

    def _simulator(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"callbacks": {"retried": self.world.retried}})

    def runs(self, player: Player) -> list[dict[str, Any]]:
        return [{"channels": ["C1"]}]

    def count(self, org: str) -> dict[str, int]:
        return {"message": len(self.world.messages)}

    def status(self) -> dict[str, Any]:
        return {"counters": self.world.counters}

    def pages(self, path: str, key: str, **_: str) -> Iterator[dict[str, Any]]:
        world, model = self.world, path.split("/")[-2]
        if key == "entries":
            yield from world.ledger
        elif key == "effects":
            effects = list(world.messages.items()) if world.effects is None else world.effects
            yield from ({"id": name, "version": text, "outcome": "created"} for name, text in effects)
        else:
            ids = {"user": world.users, "allowed_slack_channel": world.channels}.get(model)
            rows = world.messages.items() if ids is None else ((name, version(0)) for name in ids)
            yield from ({"id": name, "version": text} for name, text in rows)


def test_a_world_in_which_every_promise_was_kept_balances() -> None:
    account = World().settled()
    assert account.balanced
    assert (account.asked, account.received, account.dropped, account.delivered) == (1, 3, {"not_allowed": 1}, 2)


def test_what_is_not_in_the_mesh_or_only_in_an_older_version_is_lost() -> None:
    world = World()
    del world.messages["T1:C1:1.000000"]
    world.messages["T1:C1:2.000000"] = version(2, EPOCH - 1)
    assert (world.settled().lost, world.settled().delivered) == (2, 0)


def test_a_higher_version_is_delivered() -> None:
    world = World()
    world.messages["T1:C1:2.000000"] = version(2, EPOCH + 1)
    assert (world.settled().lost, world.settled().delivered) == (0, 2)


@pytest.mark.parametrize(
    "letter",
    [
        {"id": "T1:C1:1.000000", "version": version(1), "receipt": "r1", "model": "message"},
        {"id": None, "version": None, "receipt": "r1", "model": "message"},
    ],
)
def test_a_dead_letter_explains_what_is_missing_and_nothing_else_does(letter: dict[str, Any]) -> None:
    world = World(letters=[letter], counters={"delivered.message": 1, "dropped.not_allowed.message": 1})
    del world.messages["T1:C1:1.000000"]
    assert (world.settled().lost, world.settled().dead, world.settled().problems) == (0, 1, [])
    world.letters = [letter | {"receipt": "r9", "id": letter["id"] and "T1:C1:9.000000"}]
    assert world.settled().lost == 1


def test_a_notice_explains_one_record_and_no_more() -> None:
    world = World(messages={}, notices=1)
    assert (world.settled().lost, world.settled().dropped["notice"]) == (1, 1)


def test_the_same_version_applied_again_is_twice() -> None:
    world = World()
    world.effects = [*world.messages.items(), *world.messages.items()]
    assert world.settled().twice == 2


def test_what_the_mesh_applied_of_another_channel_is_a_problem() -> None:
    world = World()
    world.effects = [*world.messages.items(), ("T1:C2:3.000000", version(3))]
    assert world.settled().problems == ["the mesh applied 1 message records of channels that are not allowed"]


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"users": ["T1:U1"]}, "1 of 2 users are not in the mesh"),
        ({"channels": []}, "1 of 1 allowed channels are not in the mesh"),
        ({"channels": ["T1:C1", "T1:C2"]}, "1 channels are in the mesh that are not allowed"),
        ({"counters": {"delivered.message": 2}}, "the counters account for 2 message records"),
        ({"counters": {"delivered.message": 4}}, "the counters account for 4 message records"),
        ({"counters": {"delivered.message": 2}, "retried": 1}, "the counters account for 2 message records"),
    ],
)
def test_directory_and_counters_are_held_to_the_ledger(wrong: dict[str, Any], problem: str) -> None:
    [found] = World(**wrong).settled().problems
    assert found.startswith(problem)


def test_a_callback_whose_answer_was_lost_is_counted_once_more_than_it_was_sent() -> None:
    assert World(counters={"delivered.message": 4}, retried=1).settled().balanced


def test_a_planted_word_is_found_in_clear_and_compressed_and_nowhere_else(tmp_path: Path) -> None:
    word = b"canary-of-a-channel"
    (tmp_path / "clean").write_bytes(b"canary" * 100)
    assert leaks.in_files({word}, [tmp_path]) == {}
    noise = bytes(range(256)) * 40
    for name, content in (("clear", word), ("zstd", zstandard.compress(word)), ("gzip", gzip.compress(word))):
        (tmp_path / name).write_bytes(noise + content + noise)
        assert leaks.in_files({word}, [tmp_path]) == {str(tmp_path / name): {word}}
        (tmp_path / name).unlink()

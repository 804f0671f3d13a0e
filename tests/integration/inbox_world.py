"""What the inbox's model test knows: every callback it sent, what must become of each, and how to look at the store."""

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx
from common_mesh.testing import FakeMesh
from sluice import ORG, SHARDS, TEAM, Sluice, page

from pipeline.batch import Batch
from pipeline.rules.versions import epoch_digits, ts_us, version
from pipeline.stages import admit_records, deliver_records, map_records, open_entries, parse_payloads
from pipeline.store.client import ask_all, connect_async
from pipeline.store.entries import read_header
from pipeline.store.inbox import CRASHES_BEFORE_DEATH, Inbox, Taken
from pipeline.store.intake import Intake
from pipeline.store.keys import effects_of
from pipeline.store.shard import Lease

ROB, ANN = f"rob/{ORG}", f"ann/{ORG}"
MEMBERS = (ROB, ANN)
EFFECTS = effects_of(ORG)
FIXED, FICKLE, SECRET = "C1", "C2", "C3"
STAMPS = [f"1700000000.00010{n}" for n in range(5)]
REFUSED = STAMPS[-1]
"""The mesh will never take a message of this `ts`."""


@dataclass
class Sent:
    """A callback that got its receipt: its records' (id, version), and how many have no identity."""

    receipt: str
    kind: str
    channel: str | None
    records: list[tuple[str, str]]
    bad: int


@dataclass
class Hand:
    """One drain, driven step by step. `listed`: the channels allowed when it mapped, and when it delivered."""

    lease: Lease
    inbox: Inbox
    phase: str = "leased"
    taken: Taken | None = None
    batch: Batch | None = None
    listed: list[set[str]] = field(default_factory=list)

    def open(self, stores: Any) -> None:
        assert self.taken is not None
        batch = parse_payloads(open_entries(stores, self.taken))
        self.batch = map_records(stores, admit_records(stores, batch))
        self.inbox.unmark(self.taken)
        self.phase = "mapped"

    def deliver(self, stores: Any) -> None:
        assert self.batch is not None
        self.batch = deliver_records(stores, self.batch)
        self.phase = "delivered"


@dataclass
class Found:
    """The store at one moment."""

    waiting: dict[str, set[str]]
    ready: set[str]
    counters: Counter[str]
    suspects: dict[tuple[str, str], int]
    mark: bytes | None
    letters: list[dict[str, Any]]
    states: dict[str, str]


class MoodyMesh(FakeMesh):
    """Says no to the next request, or to the one after it, with or without having taken it."""

    mood = "well"

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        mood, self.mood = self.mood, self.mood.removesuffix(" the second") if "second" in self.mood else "well"
        if mood == "refuses":
            return httpx.Response(503, request=request)
        answer = super().handle_request(request)
        if mood == "loses":
            raise httpx.ReadError("told to lose the answer", request=request)
        return answer


class World(Sluice):
    """A Sluice with two connections of one organisation, and an intake that lives as long as it does."""

    def __init__(self, store_url: str) -> None:
        super().__init__(store_url, mesh=MoodyMesh())
        self.runner = asyncio.Runner()
        self.async_client = connect_async(store_url)
        self.intake = Intake(self.async_client, SHARDS, self.vault, backlog_limit=1000, ring=self.rung.append)
        for member in MEMBERS:
            self.register(member)
        self.allow(FIXED, connection=ROB)
        self.allow(FICKLE, connection=ANN)
        self.mesh.reject(f"{TEAM}:{FIXED}:{REFUSED}", "refused")
        self.mesh.reject(f"{TEAM}:{FICKLE}:{REFUSED}", "refused")
        self.drain()

    def close(self) -> None:
        self.runner.run(self._close_intake())
        self.runner.close()
        super().close()

    async def _close_intake(self) -> None:
        await self.intake.close()
        await self.async_client.aclose()

    def reconnect(self) -> None:
        """Forget connections to a server that was killed."""
        self.client.connection_pool.disconnect()
        self.runner.run(self.async_client.connection_pool.disconnect())

    def send(self, member: str, callback: dict[str, Any], epoch: int) -> str:
        work = self._append(self.intake, connection=member, gen=1, epoch=epoch, **callback)
        return self.runner.run(work)

    def look(self) -> Found:
        keys = self.keys
        streams = [*MEMBERS, EFFECTS]
        rows = ask_all(
            self.client,
            [
                *(("XRANGE", keys.stream(member), "-", "+") for member in streams),
                ("ZUNION", 2, keys.ready, keys.ready_effects),
                ("HGETALL", keys.counters),
                ("HGETALL", keys.suspects),
                ("GET", keys.mark),
                ("XRANGE", keys.dead, "-", "+"),
                ("HGETALL", keys.receipts),
            ],
        )
        entries, (ready, counters, suspects, mark, dead, receipts) = rows[:3], rows[3:]
        return Found(
            {
                m: {read_header(fields[b"h"]).receipt for _, fields in row}
                for m, row in zip(streams, entries, strict=True)
            },
            {member.decode() for member in ready},
            Counter({name.decode(): int(number) for name, number in counters.items()}),
            {tuple(name.decode().split("|")): int(n) for name, n in suspects.items()},
            mark,
            [json_of(fields[b"h"]) for _, fields in dead],
            {receipt.decode(): json_of(record)["state"] for receipt, record in receipts.items()},
        )


def json_of(text: bytes) -> dict[str, Any]:
    return dict(json.loads(text))


def messages(channel: str, stamps: list[str], bad: int, epoch: int) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """A callback of messages, and the records that it holds."""
    callback = page(channel, *stamps)
    callback["messages"] += [{"type": "message", "text": "no identity"}] * bad
    return callback, [(f"{TEAM}:{channel}:{ts}", version(epoch, ts_us(ts))) for ts in stamps]


def members(users: list[str], epoch: int) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """A callback of users, and the records that it holds."""
    callback = {"kind": "users", "cursor": "", "next_cursor": "", "members": [{"id": u, "name": u} for u in set(users)]}
    return callback, [(f"{TEAM}:{user}", version(epoch)) for user in set(users)]


def end_of(sent: Sent, listed: list[set[str]], crashes: int) -> tuple[str, Counter[str]]:
    """How a settled callback must have ended: its receipt's state, and what it adds to the counters."""
    if crashes >= CRASHES_BEFORE_DEATH:
        return "dead", Counter({"settled.dead": 1, f"callbacks.{sent.kind}": 1, "dead.crashes": 1})
    counts: Counter[str] = Counter({f"callbacks.{sent.kind}": 1})
    if sent.kind != "messages":
        model = "user" if sent.kind == "users" else "retraction"
        counts.update({"settled.delivered": 1, f"delivered.{model}": len(sent.records)})
        return "delivered", counts
    mapped, delivered = (sent.channel in then for then in listed)
    if not mapped:
        counts[f"dropped.{refusal(listed[0])}.message"] += len(sent.records) + sent.bad
    elif not delivered:
        counts[f"dropped.{refusal(listed[1])}.message"] += len(sent.records)
    else:
        refused = sum(name.endswith(REFUSED) for name, _ in sent.records)
        counts.update({"dead.mesh_refused": refused, "delivered.message": len(sent.records) - refused})
    counts["dead.no_ts"] += sent.bad if mapped else 0
    state = _state(counts)
    counts[f"settled.{state}"] += 1
    return state, counts


def refusal(listed: set[str]) -> str:
    return "not_allowed" if listed else "no_list"


def _state(counts: Counter[str]) -> str:
    if counts["dead.no_ts"] or counts["dead.mesh_refused"]:
        return "dead"
    dropped = any(number for name, number in counts.items() if name.startswith("dropped."))
    return "nothing_allowed" if dropped and not counts["delivered.message"] else "delivered"


def below(record: tuple[str, str], fence: int) -> bool:
    """Whether a fence ends this state of the record."""
    return record[1][:16] < epoch_digits(fence)

"""How many records a second the reference mesh takes on one core, beside the same rows written by hand."""

import http.client
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from common_mesh.encoding import Coding, compress

from bench import machine
from bench.mesh.sample import BATCH, ndjson
from bench.mesh.served import ROOT, Served, served
from bench.result import Claim, Found, Series, ratio
from bench.rounds import side_by_side

TARGET = 20_000
PROCESSOR = "records/s of processor"
LOGGED = "reference mesh, zstd, effects log"
FLOOR = "floor: executemany by hand"
CODINGS: tuple[Coding, ...] = ("zstd", "gzip", "identity")
_AT_ONCE = 3
"""Senders: enough that a batch is always waiting."""


class Rate(NamedTuple):
    """Records a second of the clock, and a second of the processor."""

    wall: float
    processor: float


def compare(batches: int, rounds: int) -> Found:
    """Fresh files each time: the server on one core with each coding, and the floor on the same core."""
    plain = [ndjson(number * BATCH) for number in range(batches)]
    bodies = {coding: [compress(body, coding) for body in plain] for coding in CODINGS}
    conditions: dict[str, Callable[[], Rate]] = {_name(c): partial(_served, c, bodies[c]) for c in CODINGS}
    conditions[LOGGED] = partial(_served, "zstd", bodies["zstd"], "--effects")
    conditions[FLOOR] = partial(_floor, batches)
    found = side_by_side(conditions, rounds)
    wall = {name: [rate.wall for rate in rates] for name, rates in found.items()}
    processor = {name: [rate.processor for rate in rates] for name, rates in found.items()}
    zstd = _name("zstd")
    kept = Series(zstd, PROCESSOR, processor[zstd])
    return Found(
        series=[
            *(Series(name, "records/s", values) for name, values in wall.items()),
            *(Series(name, PROCESSOR, values) for name, values in processor.items()),
            *(
                ratio(f"zstd / {name}", processor, zstd, to)
                for name, to in (("identity", _name("identity")), ("floor", FLOOR))
            ),
        ],
        claims=[Claim(f"the reference mesh takes {TARGET:,} records in a second of one core", kept, TARGET)],
        notes=list(_notes(batches, rounds, len(plain[0]), len(bodies["zstd"][0]))),
    )


def _name(coding: Coding) -> str:
    return f"reference mesh, {coding}"


def _core() -> list[int]:
    """The last core; the senders get the others where there are any."""
    return machine.cores()[-1:]


def _served(coding: Coding, bodies: list[bytes], *options: str) -> Rate:
    others = machine.cores()[:-1] or machine.cores()
    with tempfile.TemporaryDirectory() as folder:
        program = ("common_mesh.server", "--store", f"sqlite:///{folder}/mesh.db", *options)
        with served(*program, cores=_core()) as mesh, machine.on(others):
            return _timed(mesh, coding, bodies)


def _timed(mesh: Served, coding: Coding, bodies: list[bytes]) -> Rate:
    before, begun = machine.cpu_seconds(mesh.pid), time.perf_counter()
    failures: list[str] = []
    waiting = iter(bodies)
    turn = threading.Lock()
    senders = [threading.Thread(target=_send, args=(mesh, coding, waiting, turn, failures)) for _ in range(_AT_ONCE)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    took, after = time.perf_counter() - begun, machine.cpu_seconds(mesh.pid)
    if failures:
        raise RuntimeError(failures[0])
    records = BATCH * len(bodies)
    used = after - before if after is not None and before is not None else took
    return Rate(records / took, records / max(used, 0.01))


def _send(mesh: Served, coding: Coding, waiting: Iterator[bytes], turn: threading.Lock, failures: list[str]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", mesh.port, timeout=60)
    headers = {"Content-Encoding": coding, "Content-Type": "application/x-ndjson"}
    try:
        while body := _next(waiting, turn):
            key = {"Idempotency-Key": str(id(body))}
            connection.request("POST", "/v1/org/slack/message/batches", body, {**headers, **key})
            answer = connection.getresponse()
            if json.loads(answer.read()).get("outcomes") != "c" * BATCH:
                failures.append(f"the mesh answered {answer.status} and did not take a whole batch")
                return
    except (OSError, http.client.HTTPException, ValueError) as error:
        failures.append(f"the mesh did not answer ({type(error).__name__})")
    finally:
        connection.close()


def _next(waiting: Iterator[bytes], turn: threading.Lock) -> bytes | None:
    with turn:
        return next(waiting, None)


def _floor(batches: int) -> Rate:
    with tempfile.TemporaryDirectory() as folder, machine.on(_core()):
        command = [sys.executable, "-m", "bench.mesh.floor", folder, str(batches)]
        told = subprocess.run(command, cwd=ROOT, check=True, capture_output=True)  # noqa: S603 - our own program
    took = json.loads(told.stdout)
    return Rate(BATCH * batches / took["seconds"], BATCH * batches / took["processor"])


def _notes(batches: int, rounds: int, plain: int, packed: int) -> Iterator[str]:
    yield f"mesh: {batches} batches of {BATCH:,} into a new file each time, {rounds} rounds in turn"
    yield f"a batch is {plain:,} bytes, {packed:,} in zstd; every batch is on disk before it is answered (WAL, FULL)"
    yield "judged is the processor's second: the clock's also counts what other programs took of the core"
    yield "server and floor are pinned to one core" if machine.CAN_PIN else "this system pins no process to a core"
    yield "the floor parses nothing, keeps no index but the key's and no fences: it is what SQLite alone would cost"

"""How much of its throughput the client keeps when the mesh is 50 ms away."""

import itertools
import time
from contextlib import ExitStack
from functools import partial

from common_mesh import MeshEngine, MeshSession

from bench.mesh.sample import BATCH, Message, message
from bench.mesh.served import served
from bench.result import Claim, Found, Series, ratio
from bench.rounds import side_by_side

LATENCY = 0.05
KEPT = 0.8
NEAR, FAR = "mesh at 0 ms", "mesh at 50 ms"


def compare(records: int, rounds: int) -> Found:
    """One engine to each of two meshes that count and drop, in turn; the generator costs nothing."""
    models = [message(number) for number in range(BATCH)]
    with ExitStack() as stack:
        sessions = {name: _session(stack, away) for name, away in ((NEAR, 0.0), (FAR, LATENCY))}
        for session in sessions.values():
            _rate(session, models, BATCH * 20)  # connections opened, codings agreed
        measured = side_by_side({n: partial(_rate, s, models, records) for n, s in sessions.items()}, rounds)
    kept = ratio(f"{FAR} / {NEAR}", measured, FAR, NEAR)
    return Found(
        series=[Series(name, "records/s", values) for name, values in measured.items()],
        claims=[Claim(f"a mesh at 50 ms gets at least {KEPT:.0%} of the throughput at 0 ms", kept, KEPT)],
        notes=[f"client: one engine of the default policy, {records:,} records a round, {rounds} rounds in turn"],
    )


def _session(stack: ExitStack, away: float) -> MeshSession:
    mesh = stack.enter_context(served("bench.mesh.far", "--latency", str(away)))
    return stack.enter_context(MeshEngine(mesh.url)).create_session("org", "slack", "message")


def _rate(session: MeshSession, models: list[Message], records: int) -> float:
    begun = time.perf_counter()
    report = session.send_all_models(itertools.islice(itertools.cycle(models), records))
    if report.created != records:
        raise RuntimeError(f"{records - report.created} records did not arrive")
    return records / (time.perf_counter() - begun)

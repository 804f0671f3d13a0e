"""Readiness and metrics: true, quick, and there when the store is not."""

import os
import re
import signal
import time
from collections.abc import Iterator

import httpx
import pytest
from core_api import AT, Core
from prometheus_client.parser import text_string_to_metric_families
from sluice import CONNECTION, SHARDS, Sluice, page

from cli.embedded import EmbeddedServer
from pipeline.store import hold
from pipeline.store.client import connect

PATIENCE = 0.5


@pytest.fixture
def core(sluice: Sluice) -> Core:
    return Core(sluice).connected()


def samples(answer: httpx.Response) -> dict[str, float]:
    """`name{label="value"}` → number."""
    found = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def test_a_store_that_keeps_is_ready_and_tells_what_waits(core: Core) -> None:
    core.allow("C1")
    assert core.call("GET", "/readyz").json() == {
        "ready": True,
        "parts": {"store": "ok"},
        "backlog": 0,
        "oldest_waiting_age": None,
        "held": None,
    }
    core.sluice.receive(page("C1", "1700000000.000100"))
    said = core.call("GET", "/readyz").json()
    assert (said["ready"], said["backlog"]) == (True, 1)
    assert 0 <= said["oldest_waiting_age"] < 60


def test_a_held_store_is_ready_since_it_keeps_callbacks_and_everybody_is_told_what_to_do(core: Core) -> None:
    assert samples(core.call("GET", "/metrics"))["sluice_store_held"] == 0
    assert core.call("GET", AT).json()["held"] is core.call("GET", "/v1/status").json()["held"] is None
    found = hold.place(core.sluice.client, SHARDS, backup=17)
    for path in ("/v1/status", "/readyz", AT):
        answer = core.call("GET", path)
        assert answer.status_code == 200
        assert answer.json()["held"] == {"since": found.since, "backup": 17, "says": hold.SAYS}
    assert "./sluice restore --confirm" in hold.SAYS
    assert samples(core.call("GET", "/metrics"))["sluice_store_held"] == 1


def test_a_full_store_is_named(core: Core) -> None:
    core.sluice.client.config_set("maxmemory", "1mb")
    answer = core.call("GET", "/readyz")
    assert (answer.status_code, answer.json()["parts"], answer.json()["ready"]) == (503, {"store": "full"}, False)
    core.sluice.client.config_set("maxmemory", 0)
    assert core.call("GET", "/readyz").status_code == 200


def test_a_store_that_refuses_writes_for_another_reason_is_named(core: Core) -> None:
    core.sluice.client.config_set("min-replicas-to-write", 1)
    try:
        answer = core.call("GET", "/readyz")
    finally:
        core.sluice.client.config_set("min-replicas-to-write", 0)
    assert (answer.status_code, answer.json()["parts"]) == (503, {"store": "refuses writes"})


@pytest.fixture
def own_store() -> Iterator[EmbeddedServer]:
    with EmbeddedServer(durable=True) as server:
        yield server


@pytest.fixture
def fragile(own_store: EmbeddedServer) -> Iterator[Core]:
    """Over a store of its own, with a shorter patience than `python -m api` has, for the test's sake."""
    sluice = Sluice(own_store.url)
    client = connect(own_store.url, timeout=PATIENCE)
    yield Core(sluice, client=client)
    client.close()
    sluice.close()


def test_a_store_that_is_gone_is_a_503_everywhere_and_metrics_go_on(own_store: EmbeddedServer, fragile: Core) -> None:
    assert fragile.call("GET", "/readyz").status_code == 200
    own_store.stop()
    begun = time.monotonic()
    ready = fragile.call("GET", "/readyz")
    assert (ready.status_code, ready.json()["parts"]) == (503, {"store": "away"})
    for method, path in [("GET", AT), ("GET", "/v1/status"), ("GET", "/v1/dead-letters"), ("DELETE", AT)]:
        answer = fragile.call(method, path)
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:sluice:unavailable")
        assert int(answer.headers["retry-after"]) > 0
    metrics = fragile.call("GET", "/metrics")
    assert metrics.status_code == 200
    assert samples(metrics)["sluice_store_up"] == 0
    assert samples(metrics)['sluice_api_answers_total{method="GET",route="/readyz",status="503"}'] == 1
    assert not [name for name in samples(metrics) if name.startswith("sluice_backlog")]
    assert fragile.call("GET", "/healthz").status_code == 200
    assert time.monotonic() - begun < 3


def test_a_store_that_hangs_is_a_503_within_its_patience(own_store: EmbeddedServer, fragile: Core) -> None:
    fragile.call("PUT", AT)
    assert own_store.pid is not None
    os.kill(own_store.pid, signal.SIGSTOP)
    try:
        for path in ("/readyz", "/metrics", AT):
            begun = time.monotonic()
            answer = fragile.call("GET", path)
            assert answer.status_code == (200 if path == "/metrics" else 503)
            assert time.monotonic() - begun < PATIENCE + 0.7
    finally:
        os.kill(own_store.pid, signal.SIGCONT)
    assert fragile.call("GET", "/readyz").status_code == 200


def test_metrics_are_named_as_prometheus_wants_and_count_what_happened(core: Core) -> None:
    core.allow("C1")
    core.sluice.receive(page("C1", "1700000000.000100"), page("C9", "1700000000.000200", "1700000000.000300"))
    found = samples(core.call("GET", "/metrics"))
    assert (found["sluice_store_up"], found["sluice_backlog_entries"]) == (1, 2)
    core.sluice.drain()
    answer = core.call("GET", "/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    found = samples(answer)
    assert found['sluice_records_delivered_total{model="message"}'] == 1
    assert found['sluice_records_dropped_total{model="message",reason="not_allowed"}'] == 2
    assert found['sluice_entries_settled_total{kind="messages"}'] == 2
    assert found['sluice_entries_ended_total{state="nothing_allowed"}'] == 2, "the directory came before any list"
    assert found['sluice_rings_total{outcome="rung"}'] > 0
    for family in text_string_to_metric_families(answer.text):
        assert re.fullmatch(r"sluice_[a-z_]+", family.name)
        assert family.documentation
        assert family.type in ("counter", "gauge")
    assert not [name for name in found if name.startswith("sluice_events")], "every counter has a family of its own"


def test_no_metric_and_no_log_line_names_anybody(core: Core, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "api.answers")
    core.allow("C1")
    core.call("GET", "/canary-path")
    core.call("CANARY", AT)
    core.call("GET", f"{AT}/pulls?canary=1", None)
    text = core.call("GET", "/metrics").text
    logged = [{k: v for k, v in vars(one).items() if k in ("method", "route", "status")} for one in caplog.records]
    assert {"method": "PUT", "route": "/v1/orgs/{org}/connections/{user}/allowlist", "status": 200} in logged
    assert {"method": "GET", "route": "none", "status": 404} in logged
    assert {"method": "other", "route": "/v1/orgs/{org}/connections/{user}", "status": 405} in logged
    assert {"method": "GET", "route": "/v1/orgs/{org}/connections/{user}/pulls", "status": 401} in logged
    assert not [one for one in logged if one["route"] == "/metrics"]
    for name in ("canary", "CANARY", *CONNECTION.split("/"), "C1"):
        assert name not in text
        assert name not in str(logged)

"""Shadow delivery: everything but the sending, with counts to compare a migration by."""

from dataclasses import replace

import pytest
from core_api import Core
from sluice import Sluice, page

from pipeline.delivery import Delivery

PAGE = page("C1", "1700000000.000100", "1700000001.000100")


@pytest.fixture
def shadowed(sluice: Sluice) -> Sluice:
    sluice.stores = replace(sluice.stores, mesh=Delivery(sluice.engine, shadow=True))
    return sluice


def test_nothing_is_sent_and_the_counters_tell_what_would_have_been(shadowed: Sluice) -> None:
    core = Core(shadowed).connected()
    core.allow("C1")
    [receipt] = shadowed.receive(PAGE)
    shadowed.receive(page("C2", "1700000002.000100"))
    shadowed.drain()
    assert shadowed.mesh.seen == []
    status = core.call("GET", "/v1/status").json()
    counters = status["counters"]
    assert (counters["shadow.message"], counters["dropped.not_allowed.message"]) == (2, 1)
    assert not any(name.startswith("delivered.") for name in counters)
    assert (status["backlog"], status["dead_letters"]) == (0, 0)
    assert core.call("GET", f"/v1/receipts/{receipt}").json()["state"] == "delivered"
    assert 'sluice_records_shadow_total{model="message"} 2.0' in core.call("GET", "/metrics").text


def test_live_delivery_counts_as_before(sluice: Sluice) -> None:
    core = Core(sluice).connected()
    core.allow("C1")
    sluice.receive(PAGE)
    sluice.drain()
    counters = core.call("GET", "/v1/status").json()["counters"]
    assert counters["delivered.message"] == len(sluice.live()) == 2
    assert not any(name.startswith("shadow.") for name in counters)


def test_a_revocation_has_nothing_to_retract_and_is_followed_all_the_same(shadowed: Sluice) -> None:
    core = Core(shadowed).connected()
    core.allow("C1")
    shadowed.receive(PAGE)
    shadowed.drain()
    answer = core.allow()
    assert (answer.status_code, answer.json()["state"]) == (200, "done")
    assert shadowed.mesh.seen == []
    found = core.call("GET", f"/v1/receipts/{answer.json()['receipt']}").json()
    assert (found["state"], found["removal"]["state"]) == ("delivered", "emptying")

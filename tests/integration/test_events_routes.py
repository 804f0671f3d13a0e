"""The operator's view of outgoing events, and an organisation's of its own."""

from collections.abc import Iterator

import pytest
from core_api import OPERATOR, OTHERS, OURS
from core_api import Core as Api
from events_world import URL, Core, away, happened, status
from prometheus_client.parser import text_string_to_metric_families
from sluice import CONNECTION, ORG, SHARDS, Sluice

from pipeline.events import Ping
from pipeline.store.dead_events import DeadEvents
from pipeline.store.keys import Keys
from pipeline.store.scripts import Changes

KIND = "connection.credential.valid"


@pytest.fixture
def sluice(store: str) -> Iterator[Sluice]:
    made = Sluice(store, events=True)
    yield made
    made.close()


@pytest.fixture
def core(sluice: Sluice) -> Iterator[Core]:
    made = Core(sluice)
    yield made
    made.close()


@pytest.fixture
def api(sluice: Sluice) -> Api:
    return Api(sluice, events_url=URL)


def bury(core: Core, name: str) -> None:
    waiting = core.stores.events.get(core.keys, name)
    assert waiting is not None
    assert DeadEvents(core.client, SHARDS).bury(core.keys, waiting, waiting)


def test_what_waits_and_what_is_dead_is_listed_without_what_is_sent(core: Core, api: Api) -> None:
    dead, failed, fresh = core.append(happened(at=1)), core.append(happened(at=2)), core.append(happened(at=3))
    bury(core, dead)
    core.door.always = away
    core.tell()
    shown = api.call("GET", "/v1/events").json()
    assert [one["id"] for one in shown["events"]] == [fresh, failed]
    assert [one["id"] for one in shown["dead_events"]] == [dead]
    assert (shown["waiting"], shown["dead"]) == (2, 1)
    assert 0 <= shown["oldest_waiting_age"] < 5
    [row] = [one for one in shown["events"] if one["id"] == failed]
    assert row.pop("since") > 0
    said = {"tries": 1, "reason": "unreachable", "at": 2}
    assert row == {"id": failed, "type": KIND, "connection": CONNECTION, "org": ORG, **said}
    assert shown["endpoint"]["state"] == "parked"
    assert (shown["endpoint"]["failures"], shown["endpoint"]["reason"]) == (1, "unreachable")
    assert len(api.call("GET", "/v1/events?limit=1").json()["events"]) == 1


def test_an_organisation_sees_its_own(core: Core, api: Api, sluice: Sluice) -> None:
    neighbour = next(org for org in (f"org{n}" for n in range(1000)) if SHARDS.of_org(org) == sluice.keys)
    changes = Changes()
    sluice.stores.events.append(changes, sluice.keys, happened(f"ann/{neighbour}"))
    changes.commit(core.client)
    name = core.append()
    bury(core, core.append())
    shown = api.call("GET", "/v1/events", OURS).json()
    assert [one["id"] for one in shown["events"]] == [name]
    assert (shown["waiting"], shown["dead"]) == (1, 1)
    assert shown["oldest_waiting_age"] is not None
    assert api.call("GET", "/v1/events", OPERATOR).json()["waiting"] == 2
    others = api.call("GET", "/v1/events", OTHERS).json()
    assert (others["waiting"], others["dead"], others["events"], others["dead_events"]) == (0, 0, [], [])
    assert others["oldest_waiting_age"] is None


def test_a_dead_event_can_be_sent_again_and_dropped(core: Core, api: Api) -> None:
    again, gone = core.append(), core.append()
    bury(core, again)
    bury(core, gone)
    assert api.call("POST", f"/v1/events/dead/{again}/resend", OURS).status_code == 403
    assert api.call("DELETE", f"/v1/events/dead/{gone}", OURS).status_code == 403
    assert api.call("POST", f"/v1/events/dead/{again}/resend").json() == {"id": again}
    assert api.call("DELETE", f"/v1/events/dead/{gone}").json() == {"id": gone}
    assert core.tell() == {"sent": 1}
    assert core.door.ids == [again]
    for name in (again, "zz", "0" * 34, "ff" * 17):
        assert api.call("POST", f"/v1/events/dead/{name}/resend").status_code == 404
        assert api.call("DELETE", f"/v1/events/dead/{name}").status_code == 404
    notes = b"".join(row[1][b"e"] for row in core.client.xrange(core.keys.audit))
    assert b'"event.resent"' in notes
    assert b'"event.dropped"' in notes
    counters = core.counters()
    assert (counters[f"outgoing.resent.{KIND}"], counters[f"outgoing.dropped.{KIND}"]) == (1, 1)


def test_a_ping_arrives(core: Core, api: Api) -> None:
    assert api.call("POST", "/v1/events/test", OURS).status_code == 403
    answer = api.call("POST", "/v1/events/test")
    assert answer.status_code == 202
    core.telling.tell(0)
    [(name, event)] = core.door.taken
    assert name == answer.json()["id"]
    assert (event["type"], list(event["data"])) == ("ping", ["at"])
    Ping.model_validate(event["data"])


def test_without_an_address_there_is_nothing_to_try(sluice: Sluice) -> None:
    api = Api(sluice)
    answer = api.call("POST", "/v1/events/test")
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:sluice:no-events")
    shown = api.call("GET", "/v1/events").json()
    assert shown["endpoint"] == {"state": "unset", "failures": 0, "since": None, "until": None, "reason": ""}
    assert sluice.client.zcard(Keys(0).events_order) == 0


def test_an_address_that_said_410_is_shown_and_opened_again_by_the_operator_alone(core: Core, api: Api) -> None:
    core.append()
    core.door.answers = [status(410)]
    core.tell()
    shown = api.call("GET", "/v1/status").json()["events"]
    assert (shown["endpoint"]["state"], shown["endpoint"]["reason"]) == ("disabled", "status_410")
    assert (shown["waiting"], shown["dead"]) == (1, 0)
    assert api.call("POST", "/v1/events/enable", OURS).status_code == 403
    assert api.call("POST", "/v1/events/enable").json()["state"] == "open"
    assert (core.item() or 1) < 0
    assert core.tell() == {"sent": 1}


def test_enabling_hurries_what_waits_for_its_next_try(core: Core, api: Api) -> None:
    name = core.append()
    core.door.answers = [status(503, Retry_After="7200")]
    core.tell()
    assert (core.due(name) or 0) > 7000
    api.call("POST", "/v1/events/enable")
    assert core.tell() == {"sent": 1}


def test_the_metrics_count_what_became_of_events(core: Core, api: Api) -> None:
    bury(core, core.append())
    core.append()
    core.append()
    core.door.answers = [status(422), away]
    core.tell()
    families = text_string_to_metric_families(api.call("GET", "/metrics").text)
    found = {(one.name, *sorted(one.labels.values())): one.value for family in families for one in family.samples}
    total = "sluice_outgoing_events_total"
    assert (found[total, KIND, "written"], found[total, KIND, "failed"], found[total, KIND, "dead"]) == (3, 2, 1)
    gauges = {name: found[f"sluice_outgoing_{name}",] for name in ("waiting", "dead", "shut")}
    assert gauges == {"waiting": 2, "dead": 1, "shut": 1}
    assert found["sluice_outgoing_oldest_seconds",] >= 0

"""What Slack sends that this version does not know: counted with the settle, bounded, shown without content."""

import pytest
from core_api import AT, Core
from sluice import SHARDS, Sluice, page

from pipeline.store import census
from pipeline.store.scripts import Changes

TS = "1700000000.000100"


@pytest.fixture
def core(sluice: Sluice) -> Core:
    made = Core(sluice).connected()
    assert made.allow("C1").status_code == 200
    return made


def strange(channel: str, field: str = "hologram") -> dict[str, object]:
    made = page(channel, TS)
    made["messages"][0] |= {field: "a secret", "blocks": [{"type": "teleporter"}]}
    return made


def test_unknown_names_of_allowed_channels_are_counted_and_nothing_that_somebody_wrote(core: Core) -> None:
    core.sluice.receive(strange("C1"), strange("C1"), strange("C2", "elsewhere"))
    core.sluice.drain()
    found = census.totals(core.sluice.client, SHARDS)
    assert (found["field", "message.hologram"], found["block", "teleporter"]) == (2, 2)
    assert ("field", "message.elsewhere") not in found, "a dropped record is not looked into"
    shown = core.call("GET", "/v1/status").json()["census"]
    assert {"kind": "block", "name": "teleporter", "count": 2} in shown
    assert 'sluice_census_total{kind="block",name="teleporter"} 2.0' in core.call("GET", "/metrics").text
    assert "secret" not in str(shown)
    assert core.call("GET", AT).status_code == 200


def test_a_page_that_is_held_back_is_counted_when_it_is_settled(core: Core) -> None:
    core.sluice.mesh.fail(503, times=1)
    core.sluice.receive(strange("C1"))
    core.sluice.drain()
    assert census.totals(core.sluice.client, SHARDS) == {}
    core.sluice.client.zadd(
        core.sluice.keys.ready, dict.fromkeys(core.sluice.client.zrange(core.sluice.keys.ready, 0, -1), 1)
    )
    core.sluice.drain()
    assert census.totals(core.sluice.client, SHARDS)["block", "teleporter"] == 1


def test_names_beyond_the_bound_are_counted_as_others_and_known_ones_go_on(sluice: Sluice) -> None:
    def add(**names: int) -> None:
        changes = Changes()
        census.add(sluice.client, changes, sluice.keys, {("field", name): number for name, number in names.items()})
        changes.commit(sluice.client)

    add(**{f"n{number:03}": 1 for number in range(census.MOST_NAMES - 1)})
    add(other=1, zz_first=1, zz_second=2, n000=1)
    add(zz_first=1, zz_third=1)
    found = census.totals(sluice.client, SHARDS)
    assert (found["field", "n000"], found["field", "zz_first"], found["field", "other"]) == (2, 2, 4)
    assert len(found) == census.MOST_NAMES + 1

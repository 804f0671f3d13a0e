"""A list changes in one piece with what the change causes, and a fence lies above every epoch drawn before it."""

import json
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import Any

import pytest
from sluice import CONNECTION, ORG, SHARDS, TEAM, Sluice, page

from pipeline.errors import Rejected
from pipeline.store import effects
from pipeline.store.allowlists import Allowlists, Change, StaleListError
from pipeline.store.connections import Connections, draw_epoch
from pipeline.store.effects import Effect
from pipeline.store.entries import open_entry, read_header
from pipeline.store.keys import effects_of

OTHER = f"ann/{ORG}"
THIRD = f"eve/{ORG}"


@pytest.fixture
def ready(sluice: Sluice) -> Sluice:
    for connection in (CONNECTION, OTHER):
        sluice.register(connection)
    sluice.drain()
    return sluice


def put(sluice: Sluice, wanted: list[str], if_match: int, connection: str = CONNECTION) -> Change:
    return sluice.stores.allowlists.put(connection, wanted, if_match=if_match, by="test")


def caused(sluice: Sluice) -> list[dict[str, Any]]:
    """The records of the effects that wait."""
    found = []
    for _, fields in sluice.client.xrange(sluice.keys.stream(effects_of(ORG))):
        plain = open_entry(sluice.vault, read_header(fields[b"h"]), fields[b"h"], fields[b"p"])
        effect: Effect = effects.read(plain)
        found += [{"model": model, **json.loads(bytes(record))} for model, record in effect.records]
    return found


def fences(sluice: Sluice) -> dict[str, str]:
    return {one["id"]: one["below"] for one in caused(sluice) if one["model"] == "retraction"}


def everything(sluice: Sluice) -> dict[bytes, bytes]:
    """All of the store but the drawn epoch, which may rise at any time."""
    keys = (key for key in sluice.client.scan_iter() if key != sluice.keys.org(ORG).encode())
    return {key: sluice.client.dump(key) for key in keys}


# Versions.


def test_each_change_raises_the_version_by_one_from_nought(ready: Sluice) -> None:
    assert [put(ready, [f"C{n}"], n).version for n in range(3)] == [1, 2, 3]
    assert ready.stores.allowlists.own(CONNECTION, TEAM) == ["C2"]


@pytest.mark.parametrize("if_match", [0, 2, -1])
def test_another_version_than_the_lists_own_changes_nothing(ready: Sluice, if_match: int) -> None:
    put(ready, ["C1"], 0)
    before = everything(ready)
    with pytest.raises(StaleListError):
        put(ready, [], if_match)
    assert everything(ready) == before


def test_the_same_list_again_changes_nothing_at_all(ready: Sluice) -> None:
    put(ready, ["C1", "C2"], 0)
    before = everything(ready)
    again = put(ready, ["C2", "C1", "C1"], 1)
    assert (again.version, again.receipt, again.difference) == (1, None, ([], [], []))
    assert everything(ready) == before


def test_of_two_that_read_the_same_version_one_is_refused(ready: Sluice) -> None:
    def change(number: int) -> bool:
        try:
            put(ready, [f"C{number}"], 0)
        except StaleListError:
            return False
        return True

    with ThreadPoolExecutor(6) as threads:
        won = [number for number, done in enumerate(threads.map(change, range(6))) if done]
    assert len(won) == 1
    assert ready.stores.allowlists.own(CONNECTION, TEAM) == [f"C{won[0]}"]


def test_a_list_needs_a_live_connection_with_a_team(ready: Sluice) -> None:
    ready.register(THIRD, team=None)
    ready.disconnect(OTHER, by="test")
    for connection, reason in ((f"nobody/{ORG}", "not_registered"), (OTHER, "not_registered"), (THIRD, "no_team")):
        with pytest.raises(Rejected, match=reason):
            put(ready, ["C1"], 0, connection)


# The union.


@pytest.mark.parametrize(("mine", "theirs", "wanted"), product([False, True], repeat=3))
def test_a_channel_is_fenced_exactly_when_its_last_allower_goes(
    ready: Sluice, *, mine: bool, theirs: bool, wanted: bool
) -> None:
    for allows, connection in ((mine, CONNECTION), (theirs, OTHER)):
        if allows:
            put(ready, ["C1"], 0, connection)
    ready.drain()
    put(ready, ["C1"] if wanted else [], int(mine))
    assert ready.stores.allowlists.effective(ORG, TEAM).admits("C1") == (wanted or theirs)
    ends = {f"message:{TEAM}:C1", f"allowed_slack_channel:{TEAM}:C1"}
    assert fences(ready).keys() == (ends if mine and not wanted and not theirs else set())


def test_another_teams_list_is_another_list(ready: Sluice) -> None:
    ready.register(THIRD, team="T2")
    put(ready, ["C1"], 0)
    put(ready, ["C1"], 0, THIRD)
    put(ready, [], 1)
    assert f"message:{TEAM}:C1" in fences(ready)
    assert ready.stores.allowlists.effective(ORG, "T2").admits("C1")
    assert not ready.stores.allowlists.effective(ORG, None).admits("C1")


def test_another_organisations_list_is_another_list(ready: Sluice) -> None:
    put(ready, ["C1"], 0)
    assert not ready.stores.allowlists.effective("elsewhere", TEAM).admits("C1")


def test_the_record_of_a_channel_names_who_allows_it_longest(ready: Sluice) -> None:
    channels = [{"id": "C1", "name": "plans"}, {"id": "C2", "name": "secret"}]
    ready.receive({"kind": "channels", "channels": channels, "cursor": "", "next_cursor": "", "run_id": "r"})
    ready.drain()
    put(ready, ["C1"], 0)
    put(ready, ["C1"], 0, OTHER)
    ready.drain()
    assert ready.live("allowed_slack_channel")[f"{TEAM}:C1"]["allowed_by"] == CONNECTION
    put(ready, [], 1)
    ready.drain()
    [record] = ready.live("allowed_slack_channel").values()
    assert (record["allowed_by"], record["name"], record["list_version"]) == (OTHER, "plans", "1")


# Fences and epochs.


class Raced(Allowlists):
    """Somebody draws an epoch (a trigger does) between our epoch and our commit, the first `times` times."""

    times = 1
    drawn: int = 0

    def _shown(self, org: str, *rest: Any) -> Any:
        if self.times:
            self.times -= 1
            self.drawn = draw_epoch(self._client, SHARDS.of_org(org), org)
        return super()._shown(org, *rest)


def raced(sluice: Sluice, times: int) -> Raced:
    made = Raced(sluice.client, SHARDS, sluice.vault)
    made.times = times
    return made


@pytest.mark.parametrize("times", [1, 5])
def test_a_fence_lies_above_an_epoch_that_was_drawn_while_it_was_made(ready: Sluice, times: int) -> None:
    put(ready, ["C1"], 0)
    lists = raced(ready, times)
    lists.put(CONNECTION, [], if_match=1, by="test")
    assert lists.drawn > 0
    assert all(int(below) > lists.drawn for below in fences(ready).values())
    assert len(fences(ready)) == 2


def test_whatever_was_asked_for_before_a_revocation_is_dead_after_it(ready: Sluice) -> None:
    put(ready, ["C1"], 0)
    before = draw_epoch(ready.client, ready.keys, ORG)
    put(ready, [], 1)
    put(ready, ["C1"], 2)
    after = draw_epoch(ready.client, ready.keys, ORG)
    ready.receive(page("C1", "1700000000.000100", epoch=before, gen=1, run_id="00aa", attempt=1))
    ready.receive(page("C1", "1700000000.000200", epoch=after, gen=1, run_id="00aa", attempt=1))
    ready.drain()
    assert list(ready.live()) == [f"{TEAM}:C1:1700000000.000200"]


def test_concurrent_changes_and_draws_leave_the_fences_above_what_was_drawn_before_them(ready: Sluice) -> None:
    ready.register(THIRD)

    def toggle(connection: str) -> None:
        for version in range(0, 8, 2):
            put(ready, ["C1"], version, connection)
            drawn.append(draw_epoch(ready.client, ready.keys, ORG))
            put(ready, [], version + 1, connection)

    drawn: list[int] = []
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(toggle, (CONNECTION, OTHER, THIRD)))
    assert len(set(drawn)) == len(drawn) == 12
    assert not ready.stores.allowlists.effective(ORG, TEAM).admits("C1")
    assert max(int(below) for below in fences(ready).values()) > max(drawn)


# In one piece.


class Overtaken(Allowlists):
    """The connection ends between our reading and our commit."""

    def _shown(self, org: str, *rest: Any) -> Any:
        found = super()._shown(org, *rest)
        if Connections(self._client, SHARDS, self._vault).get(OTHER):
            self.meanwhile()
        return found

    def meanwhile(self) -> None:
        """What the test puts here happens in between."""


def test_a_change_whose_connection_ended_meanwhile_leaves_nothing_behind(ready: Sluice) -> None:
    put(ready, ["C1"], 0)
    ready.drain()
    lists = Overtaken(ready.client, SHARDS, ready.vault)
    ends = iter([lambda: ready.disconnect(CONNECTION, by="test")])
    lists.meanwhile = lambda: next(ends, lambda: None)()  # type: ignore[method-assign]
    with pytest.raises(Rejected, match="not_registered"):
        lists.put(CONNECTION, ["C2"], if_match=1, by="test")
    assert not ready.stores.allowlists.effective(ORG, TEAM).channels
    assert {one["reason"] for one in caused(ready) if one["model"] == "retraction"} == {"disconnected"}


def test_a_change_brings_list_effect_receipt_schedule_and_audit_together_or_not_at_all(ready: Sluice) -> None:
    put(ready, ["C1"], 0)
    ready.drain()
    ready.client.delete(ready.keys.due)
    change = put(ready, ["C2"], 1)
    assert change.receipt is not None
    assert ready.stores.allowlists.own(CONNECTION, TEAM) == ["C2"]
    assert len(fences(ready)) == 2
    assert json.loads(ready.client.hget(ready.keys.receipts, change.receipt) or b"")["state"] == "waiting"
    due = {item.decode() for item in ready.client.zrange(ready.keys.due, 0, -1)}
    items = {f"patch:{CONNECTION}", f"plan:{CONNECTION}", f"status:{CONNECTION}"}
    assert due == items | {f"removal:{change.receipt}"}
    [(_, last)] = ready.client.xrevrange(ready.keys.audit, count=1)
    noted = json.loads(last[b"e"])
    assert noted.items() >= {"event": "allowlist.changed", "added": 1, "removed": 1, "from": 1, "to": 2}.items()
    assert (noted["channels_added"], noted["channels_removed"]) == (["C2"], ["C1"])


def test_a_revocation_goes_through_though_the_store_is_full(ready: Sluice) -> None:
    put(ready, ["C1"], 0)
    ready.receive(page("C1", "1700000000.000100"))
    ready.drain()
    ready.client.config_set("maxmemory", 1)
    put(ready, [], 1)
    ready.drain()
    ready.client.config_set("maxmemory", 0)
    assert ready.live() == {}
    assert ready.client.xlen(ready.keys.stream(effects_of(ORG))) == 0


def test_a_list_as_long_as_any_is_changed_in_one_piece(ready: Sluice) -> None:
    """More words than Lua hands to one command, more entries than a stack."""
    many = [f"C{number:05d}" for number in range(9000)]
    put(ready, many, 0)
    assert len(ready.stores.allowlists.own(CONNECTION, TEAM)) == 9000
    change = put(ready, ["X1"], 1)
    assert len(change.difference.orphaned) == 9000
    ready.drain()
    assert ready.client.xlen(ready.keys.stream(effects_of(ORG))) == 0
    assert ready.stores.allowlists.own(CONNECTION, TEAM) == ["X1"]

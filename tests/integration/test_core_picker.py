"""The picker's search and pages, over the whole application."""

import pytest
from core_api import AT, OURS, RUNS, Core
from sluice import Sluice

NAMES = {"C1": "Équipe-Paris", "C2": "equipe-lyon", "C3": "general", "C4": "が"}


@pytest.fixture
def core(sluice: Sluice) -> Core:
    made = Core(sluice).connected()
    channels = [{"id": id_, "name": name} for id_, name in NAMES.items()]
    sluice.receive({"kind": "channels", "channels": channels, **RUNS})
    sluice.drain()
    made.allow("C2")
    return made


def test_a_search_finds_channels_without_regard_to_case_and_accents(core: Core) -> None:
    shown = core.call("GET", f"{AT}/channels", OURS, params={"query": "EQUIPE"}).json()
    assert [(row["channel"], row["allowed"]) for row in shown["channels"]] == [("C2", True), ("C1", False)]
    assert (shown["matching"], shown["next"], shown["complete"]) == (2, None, True)
    assert core.call("GET", f"{AT}/channels", OURS, params={"query": "か"}).json()["channels"] == []


def test_pages_of_a_search_follow_each_other(core: Core) -> None:
    first = core.call("GET", f"{AT}/channels", OURS, params={"query": "équipe", "limit": 1}).json()
    assert ([row["channel"] for row in first["channels"]], first["matching"], first["next"]) == (["C2"], 2, "C2")
    rest = core.call("GET", f"{AT}/channels", OURS, params={"query": "équipe", "limit": 1, "after": "C2"}).json()
    assert ([row["channel"] for row in rest["channels"]], rest["next"]) == (["C1"], None)


@pytest.mark.parametrize(
    "params", [{"after": "C404"}, {"after": "C3", "query": "equipe"}, {"limit": "0"}, {"query": "x" * 201}]
)
def test_a_place_or_a_bound_that_is_none_is_refused_without_quoting_it(core: Core, params: dict[str, str]) -> None:
    answer = core.call("GET", f"{AT}/channels", OURS, params=params)
    assert answer.status_code == 422
    assert "C404" not in answer.text
    assert "xxx" not in answer.text

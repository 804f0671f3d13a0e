"""Each fault on a running simulator: what it does to the pages and answers, and that it is counted."""

import asyncio
from typing import Any

import httpx
import pytest

from simulator.faults import FAULTS

QUICK = {"channels": 6, "messages": 300, "page_limit": 8, "time_scale": 0.0003, "retry_scale": 0.0001, "seed": 5}


def accept_or_refuse(request: httpx.Request) -> httpx.Response:
    """As Sluice: JSON with a run of its own is taken, all else refused."""
    body = request.content
    known = b'"run_id":"run-1"' in body or b"/channels" in request.url.raw_path or b"/users" in request.url.raw_path
    taken = known and body.endswith(b"}") and b"mallory" not in body
    return httpx.Response(202, json={"receipt": "0" * 34}) if taken else httpx.Response(401)


async def story(bench: Any, faults: tuple[str, ...]) -> dict[str, Any]:
    """Trigger again and again until everything has happened; what was counted."""
    async with bench(faults=faults, **QUICK) as b:
        b.answer = accept_or_refuse
        ids = (await b.connect())["channels"]
        await b.idle()
        for attempt in range(1, 100):
            await b.trigger(ids, attempt=attempt)
            await asyncio.sleep(0.05)
            if (await b.get("/_sim/faults"))["over"]:
                break
        await b.http.post("/_sim/faults", json={"on": ""})
        await b.idle()
        return dict(await b.get("/_sim/faults"))


def test_every_fault_really_strikes_and_what_must_be_refused_is(bench):
    found = asyncio.run(story(bench, FAULTS))
    assert {name for name in FAULTS if not found["counts"].get(name)} == set()
    assert found["taken"] == {}
    assert (found["on"], found["present"]) == ([], [])


@pytest.mark.parametrize("name", ["ok_false", "limited", "truncate", "drop", "duplicate", "reorder"])
def test_a_fault_of_pages_that_is_on_alone_strikes_alone(bench, name):
    found = asyncio.run(story(bench, (name,)))
    assert list(found["counts"]) == [name]


def test_a_state_lasts_until_somebody_has_run_into_it(bench):
    async def quiet() -> dict[str, Any]:
        async with bench(faults=("disabled",), **(QUICK | {"time_scale": 0.00002})) as b:
            ids = (await b.connect())["channels"]
            await b.idle()
            await b.trigger(ids[:1])
            for _ in range(100):
                await asyncio.sleep(0.02)
                found = await b.get("/_sim/faults")
                if found["minute"] > 150:
                    break
            assert (found["present"], found["over"]) == (["disabled"], False)
            me = (await b.get(f"/projects/{b.config.project_id}/sdk/me"))["integrations"]["slack"]
            assert me["enabled"] is False
            await asyncio.sleep(0.05)
            return await b.get("/_sim/faults")

    found = asyncio.run(quiet())
    assert (found["present"], found["over"], found["counts"]) == ([], True, {"disabled": 1})


def test_what_strikes_by_chance_has_more_time_to_strike_once_but_not_for_ever(bench):
    async def never() -> list[dict[str, Any]]:
        async with bench(faults=("limited",), **(QUICK | {"time_scale": 0.00002})) as b:
            await b.connect()
            await b.idle()
            await b.trigger([])
            seen = []
            for _ in range(2000):
                seen.append(await b.get("/_sim/faults"))
                if seen[-1]["over"]:
                    return seen
                await asyncio.sleep(0.005)
            return seen

    seen = asyncio.run(never())
    assert any(121 < one["minute"] < 480 for one in seen)
    assert [one["over"] for one in seen] == [one["minute"] >= 480 for one in seen]
    assert seen[-1]["over"]


def test_an_unknown_fault_is_refused_by_name(bench):
    async def asked() -> httpx.Response:
        async with bench(channels=1, messages=1) as b:
            return await b.http.post("/_sim/faults", json={"on": "flood"})

    answer = asyncio.run(asked())
    assert answer.status_code == 400
    assert "there is no fault flood" in answer.json()["error"]


def test_the_workspace_changes_as_people_change_it_and_the_truth_shows_it(bench):
    async def lived() -> tuple[dict[str, str], dict[str, str], dict[str, Any]]:
        async with bench(faults=("edit", "delete", "late_reply", "rename"), **QUICK) as b:
            ids = (await b.connect())["channels"]
            await b.idle()
            asked = {"connection": "rob@rootsystem.com/end10843"}
            before = {name: (await b.get("/_sim/shown", **asked, channel=name))["messages"] for name in ids}
            names = await b.get("/_sim/names", **asked)
            await b.trigger(ids)
            for _ in range(3000):
                if (await b.get("/_sim/faults"))["over"]:
                    break
                await asyncio.sleep(0.02)
            await b.http.post("/_sim/faults", json={"on": ""})
            after = {name: (await b.get("/_sim/shown", **asked, channel=name))["messages"] for name in ids}
            renamed = await b.get("/_sim/names", **asked)
            assert sum(names["users"][one] != renamed["users"][one] for one in names["users"]) == 2
            flat = [{f"{c}:{ts}": text for c, found in shown.items() for ts, text in found.items()}
                    for shown in (before, after)]  # fmt: skip
            return flat[0], flat[1], await b.get("/_sim/faults")

    before, after, found = asyncio.run(lived())
    edited = {name for name in before.keys() & after.keys() if before[name] != after[name]}
    assert all(after[name].startswith("Edit number") for name in edited)
    assert edited
    assert len(before.keys() - after.keys()) > 1
    assert all(after[name].startswith(("Late reply", "Edit")) for name in after.keys() - before.keys())
    assert found["counts"]["late_reply"] >= len(after.keys() - before.keys()) > 1

"""What the core service sees of a paused channel, and how a person answers."""

import json

import pytest
from channel_world import FIRST, directory, raw
from core_api import AT, OTHERS, OURS, Core
from sluice import CONNECTION, ORG, TEAM, Sluice, page

C1 = f"{AT}/channels/C1"
SHARED = directory(raw("C1", is_ext_shared=True))


@pytest.fixture
def core(sluice: Sluice) -> Core:
    made = Core(sluice).connected()
    assert made.allow("C1", "C2").status_code == 200
    return made


def show(core: Core, page_: dict[str, object]) -> None:
    core.sluice.receive(page_)
    core.sluice.drain()


def reasons(rows: list[dict[str, object]]) -> list[tuple[object, object]]:
    return [(row["channel"], row["reason"]) for row in rows]


def test_a_pause_is_shown_wherever_somebody_looks(core: Core) -> None:
    show(core, SHARED)
    paused = [("C1", "shared_externally")]
    for path, name in ((AT, "paused_channels"), (f"{AT}/allowlist", "paused"), ("/v1/status", "paused_channels")):
        assert reasons(core.call("GET", path).json()[name]) == paused, path
    [one] = core.call("GET", "/v1/status").json()["paused_channels"]
    assert one == {
        "org": ORG,
        "team": TEAM,
        "channel": "C1",
        "reason": "shared_externally",
        "at": one["at"],
        "new_id": None,
        "by": "sluice",
        "says": "Another company was let into the channel: resume it, or take it off the list.",
    }
    picker = {row["channel"]: row for row in core.call("GET", f"{AT}/channels").json()["channels"]}
    assert (picker["C1"]["is_ext_shared"], reasons(picker["C1"]["paused"])) == (True, paused)
    assert (picker["C2"]["paused"], picker["C1"]["allowed"]) == ([], True)
    numbers = core.call("GET", "/metrics").text
    assert 'sluice_paused_channels{reason="shared_externally"} 1.0' in numbers
    assert 'sluice_paused_channels{reason="id_changed"} 0.0' in numbers
    assert 'sluice_channel_pauses_total{reason="shared_externally"} 1.0' in numbers


def test_the_organisations_own_token_confirms_the_sharing_and_it_is_noted_who(core: Core) -> None:
    show(core, SHARED)
    answer = core.call("POST", f"{C1}/resume", OURS)
    assert (answer.status_code, reasons(answer.json()["ended"])) == (200, [("C1", "shared_externally")])
    assert core.sluice.live("allowed_slack_channel")[f"{TEAM}:C1"]["is_ext_shared"] is True
    show(core, page("C1", FIRST))
    assert len(core.sluice.live()) == 1
    assert core.call("GET", AT).json()["paused_channels"] == []
    notes = [json.loads(row[b"e"]) for _, row in core.sluice.client.xrange(core.sluice.keys.audit)]
    [note] = [one for one in notes if one["event"] == "channel.resumed"]
    assert (note["by"], note["connection"], note["channel"]) == (f"org:{ORG}", CONNECTION, "C1")
    assert core.call("POST", f"{C1}/resume", OURS).status_code == 404


def test_for_another_id_the_answer_is_a_new_list_and_the_problem_says_so(core: Core) -> None:
    show(core, directory(raw("C1"), raw("C2")))
    show(core, directory(raw("C1") | {"id": "C9"}))
    [one] = core.call("GET", AT).json()["paused_channels"]
    assert (one["reason"], one["new_id"]) == ("id_changed", "C9")
    answer = core.call("POST", f"{C1}/resume")
    assert (answer.status_code, answer.json()["type"], answer.json()["new_id"]) == (409, "urn:sluice:id-changed", "C9")
    assert "put the new id on the list in place of this one" in answer.json()["detail"]
    assert core.allow("C9", "C2").json()["removed"] == ["C1"]
    assert core.call("GET", AT).json()["paused_channels"] == []


def test_an_operator_pauses_by_hand_and_nobody_else_ends_it(core: Core) -> None:
    assert core.call("POST", f"{C1}/pause", OURS).status_code == 403
    for _ in range(2):
        answer = core.call("POST", f"{C1}/pause")
        assert (answer.status_code, reasons(answer.json()["paused"])) == (200, [("C1", "operator")])
    refused = core.call("POST", f"{C1}/resume", OURS)
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:sluice:paused-by-operator")
    assert core.call("POST", f"{C1}/resume").status_code == 200


@pytest.mark.parametrize(("token", "path"), [(OTHERS, C1), (OURS, f"{AT}/channels/C9"), (OURS, f"{AT}x/channels/C1")])
def test_of_what_is_not_theirs_or_on_no_list_nothing_is_said(core: Core, token: str, path: str) -> None:
    show(core, SHARED)
    assert core.call("POST", f"{path}/resume", token).status_code == 404
    assert core.call("POST", f"{path}x/pause").status_code == 404


@pytest.mark.parametrize("channels", [["D1"], ["C1", "D7"], ["G1", "C2"]])
def test_a_direct_message_is_refused_with_what_to_do(core: Core, channels: list[str]) -> None:
    show(core, directory(raw("G1", is_mpim=True)))
    answer = core.allow(*channels)
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:sluice:direct-message")
    assert answer.json()["channels"] == [name for name in channels if name[0] in "DG"]
    assert "SLUICE_ALLOW_DIRECT_MESSAGES" in answer.json()["detail"]
    assert core.call("GET", f"{AT}/allowlist").json()["channels"] == ["C1", "C2"]


def test_a_direct_message_that_is_on_a_list_all_the_same_is_marked_on_it(core: Core) -> None:
    assert core.call("GET", f"{AT}/allowlist").json()["direct_messages"] == []
    show(core, directory(raw("C1"), raw("C2", is_mpim=True)))
    assert core.call("GET", f"{AT}/allowlist").json()["direct_messages"] == ["C2"]


def test_a_pull_that_is_asked_for_leaves_the_paused_channel_out(core: Core) -> None:
    show(core, SHARED)
    core.call("POST", f"{AT}/pulls")
    assert [run["channels"] for run in core.call("GET", f"{AT}/pulls").json()["runs"]] == [["C2"]]

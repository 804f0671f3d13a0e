"""When a directory page can be one of the connection's team."""

from typing import Any

import pytest

from pipeline.rules.teams import names_others_only

OURS, THEIRS = "T0534672TWT", "T0OTHER"


@pytest.mark.parametrize(
    "records",
    [
        [{"id": "U1", "team_id": THEIRS}],
        [{"id": "U1", "team_id": THEIRS}, {"id": "U2", "team_id": "T0THIRD"}],
        [{"id": "U1", "team_id": THEIRS}, {"id": "U2"}],
        [{"id": "U1", "profile": {"team": THEIRS}}],
        [{"id": "U1", "enterprise_user": {"enterprise_id": "E1", "teams": [THEIRS]}}],
        [{"id": "C1", "context_team_id": THEIRS}],
        [{"id": "C1", "shared_team_ids": [THEIRS, "T0THIRD"]}],
    ],
)
def test_a_page_that_names_teams_and_never_ours_is_in_doubt(records: list[Any]) -> None:
    assert names_others_only(records, OURS)


@pytest.mark.parametrize(
    "records",
    [
        [],
        [{"id": "U1"}, {"id": "C1"}],
        ["U1", None, 7],
        [{"id": "U1", "team_id": None, "profile": None, "enterprise_user": [], "shared_team_ids": THEIRS}],
        [{"id": "U1", "team_id": OURS}],
        [{"id": "U1", "team_id": THEIRS, "is_stranger": True}, {"id": "U2", "team_id": OURS}],
        [{"id": "U1", "team_id": THEIRS, "enterprise_user": {"teams": [THEIRS, OURS]}}],
        [{"id": "C1", "context_team_id": OURS, "shared_team_ids": [THEIRS]}],
        [{"id": "C1", "conversation_host_id": THEIRS, "shared_team_ids": [THEIRS, OURS]}],
    ],
)
def test_strangers_among_our_own_and_pages_that_name_nobody_are_not(records: list[Any]) -> None:
    assert not names_others_only(records, OURS)


def test_an_organisation_of_a_grid_is_named_as_such() -> None:
    assert not names_others_only([{"id": "W1", "team_id": "T1", "enterprise_user": {"enterprise_id": "E1"}}], "E1")

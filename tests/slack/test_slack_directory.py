"""Users and channels with every irregularity of real data: one field costs that field only, nothing is guessed."""

from typing import Any

import pytest

from pipeline.models import AllowedSlackChannel, User
from pipeline.slack.mapping import map_channel, map_user


def user(**raw: Any) -> User:
    return map_user({"id": "U1", **raw}, team="T1", epoch=1)


def channel(**raw: Any) -> AllowedSlackChannel:
    return map_channel({"id": "C1", **raw}, team="T1", epoch=1)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ({"profile": {"display_name": "ada", "real_name": "Ada Q"}, "real_name": "Ada", "name": "a.quay"}, "ada"),
        ({"profile": {"display_name": "", "real_name": "Ada Q"}, "real_name": "Ada", "name": "a.quay"}, "Ada Q"),
        ({"profile": {"display_name": " \u00a0", "real_name": "Ada Q"}, "name": "a.quay"}, "Ada Q"),
        ({"profile": {"fields": []}, "real_name": "Ada", "name": "a.quay"}, "Ada"),
        ({"profile": None, "deleted": True, "name": "a.quay"}, "a.quay"),
        ({"profile": {"display_name": "süß 日本\ud800"}}, "süß 日本\ufffd"),
        ({"deleted": True}, None),
    ],
)
def test_the_display_name_is_the_one_that_slack_shows(raw: dict[str, Any], shown: str | None) -> None:
    assert user(**raw).display_name == shown


@pytest.mark.parametrize(
    ("raw", "flags"),
    [
        ({}, (False, False, False)),
        ({"is_bot": True}, (True, False, False)),
        ({"is_workflow_bot": True}, (True, False, False)),
        ({"id": "USLACKBOT", "is_bot": False}, (True, False, False)),
        ({"is_restricted": True}, (False, True, False)),
        ({"is_ultra_restricted": True}, (False, True, False)),
        ({"deleted": True}, (False, False, True)),
        ({"is_forgotten": True}, (False, False, True)),
        ({"is_bot": "true", "deleted": 1, "is_restricted": None}, (False, False, False)),
    ],
)
def test_a_users_flags_are_what_slack_says_and_true_only(raw: dict[str, Any], flags: tuple[bool, ...]) -> None:
    record = user(**raw)
    assert (record.is_bot, record.is_guest, record.is_deactivated) == flags
    assert not record.deleted, "an account that is closed is still a record"


def test_a_user_of_enterprise_grid_keeps_the_id_that_messages_mention() -> None:
    grid = {"id": "W9AB", "enterprise_id": "E1", "teams": ["T1", "T2"], "is_admin": False}
    record = user(id="W9AB", team_id="T7", enterprise_user=grid, name="g")
    assert (record.id, record.user_id, record.team, record.kind) == ("T1:W9AB", "W9AB", "T1", "org")


@pytest.mark.parametrize("wrong", [None, 7, 1.5, True, [], {}, "", "\ud800\0", float("nan"), 10**400])
@pytest.mark.parametrize(
    "field", ["name", "real_name", "profile", "tz", "tz_offset", "deleted", "is_bot", "updated", "enterprise_user"]
)
def test_a_wrong_value_costs_a_user_that_field_only(field: str, wrong: Any) -> None:
    good = {"name": "a", "real_name": "A", "tz": "UTC", "tz_offset": 0, "profile": {"email": "a@b.example"}}
    record = user(**{**good, field: wrong})
    record.model_dump_json()
    assert record.email == (None if field == "profile" else "a@b.example")


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        ({"is_private": True}, {"is_private": True}),
        ({"is_group": True}, {"is_private": True}),
        ({"is_im": True, "user": "U1", "is_user_deleted": True, "priority": 0.5}, {"is_im": True, "name": None}),
        ({"is_mpim": True, "is_private": True, "name": "mpdm-a--b-1"}, {"is_mpim": True, "name": "mpdm-a--b-1"}),
        ({"is_ext_shared": True, "shared_team_ids": ["T1", "T9"]}, {"is_ext_shared": True, "is_shared": True}),
        ({"is_org_shared": True}, {"is_ext_shared": False, "is_shared": True}),
        ({"is_pending_ext_shared": True, "pending_shared": ["T9"]}, {"is_ext_shared": False, "is_shared": False}),
        ({"is_archived": True}, {"is_archived": True}),
        ({"members": ["U1", "U2"]}, {"members": 2}),
        ({"members": None, "num_members": 5}, {"members": 5}),
        ({"members": None}, {"members": None}),
        ({"created": "1594833860"}, {"created_at": 1_594_833_860_000_000}),
        ({"created": 1594833860}, {"created_at": 1_594_833_860_000_000}),
        ({"created": 1594833860.5}, {"created_at": None}),
        ({"topic": {"value": "a &amp; b", "last_set": 0}, "purpose": "p"}, {"topic": "a &amp; b", "purpose": "p"}),
        ({"topic": None, "purpose": []}, {"topic": "", "purpose": ""}),
        ({"name": "leitung-süd"}, {"name": "leitung-süd"}),
    ],
)
def test_every_kind_of_channel_keeps_what_slack_says(raw: dict[str, Any], kept: dict[str, Any]) -> None:
    record = channel(**raw).model_dump()
    assert {name: record[name] for name in kept} == kept


@pytest.mark.parametrize("wrong", [None, 7, 1.5, True, [], {}, "", "\ud800\0", float("nan"), 10**400])
@pytest.mark.parametrize(
    "field",
    ["name", "is_private", "is_im", "is_shared", "topic", "purpose", "members", "num_members", "created", "updated"],
)
def test_a_wrong_value_costs_a_channel_that_field_only(field: str, wrong: Any) -> None:
    record = channel(**{"name": "general", "is_archived": True, field: wrong})
    record.model_dump_json()
    assert record.is_archived
    assert record.name == "general" or field == "name"

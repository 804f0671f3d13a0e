from hypothesis import given
from hypothesis import strategies as st

from pipeline.rules.identity import Evidence
from pipeline.slack.notices import channel_notice, is_channel_notice

CHANGED = {
    "type": "channel_id_changed",
    "old_channel_id": "G1",
    "new_channel_id": "C9",
    "event_ts": "1612206778.000001",
}
SHARED = {"type": "channel_shared", "connected_team_id": "E9", "channel": "C1", "event_ts": "1561064063.001100"}
AT = 1612206778000001


def told(raw: object) -> Evidence | None:
    return channel_notice(raw, team="T1", channel="C5")


def test_a_change_of_id_is_of_the_channel_that_it_names() -> None:
    assert told(CHANGED) == Evidence("G1", "id_changed", "C9", AT)
    assert told({"type": "message", "subtype": "channel_id_changed", "ts": "1612206778.000001"}) == Evidence(
        "C5", "id_changed", None, AT
    )


def test_sharing_is_external_unless_the_team_that_joins_is_our_own() -> None:
    assert told(SHARED) == Evidence("C1", "shared_externally", None, 1561064063001100)
    assert told(SHARED | {"connected_team_id": "T1"}) is None
    assert is_channel_notice(SHARED | {"connected_team_id": "T1"}), "and no message either"


def test_what_is_not_an_id_or_a_time_is_left_out() -> None:
    odd = CHANGED | {"old_channel_id": ["G1"], "new_channel_id": "<C9>", "event_ts": 5}
    assert told(odd) == Evidence("C5", "id_changed")


def test_messages_are_no_notices() -> None:
    for raw in ({"type": "message", "ts": "1.0"}, {"subtype": ["channel_shared"]}, None, [], "channel_shared"):
        assert told(raw) is None
        assert not is_channel_notice(raw)


@given(
    st.dictionaries(
        st.sampled_from(["type", "subtype", "channel", "old_channel_id", "new_channel_id", "event_ts", "ts"]),
        st.one_of(st.none(), st.text(max_size=5), st.integers(), st.just("channel_id_changed"), st.lists(st.none())),
    )
)
def test_whatever_is_sent_nothing_is_raised(raw: dict[str, object]) -> None:
    assert (told(raw) is not None) <= is_channel_notice(raw)

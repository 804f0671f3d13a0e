"""What an event looks like on the wire, and when it is sent again."""

import json

import pytest
from pydantic import ValidationError

from pipeline.events import EVENTS, ChannelPaused, CredentialValid, Ping, body, timestamp
from pipeline.rules.retries import LONGEST_PARK, PATIENCE, WAITS, park, wait

CONNECTION = "rob@example.com/end10843"


def test_the_envelope_is_that_of_standard_webhooks_compact_and_ascii() -> None:
    event = ChannelPaused(connection="josé/end10843", team="T1", channel="C1", reason="id_changed", to="C2", at=1)
    sent = body(event)
    assert sent.isascii()
    assert ": " not in sent
    data = {"at": 1, "connection": "josé/end10843", "org": "end10843", "team": "T1", "channel": "C1"}
    data |= {"reason": "id_changed", "to": "C2"}
    assert json.loads(sent) == {"type": "channel.paused", "timestamp": "1970-01-01T00:00:00.000001Z", "data": data}
    assert list(json.loads(sent)) == ["type", "timestamp", "data"]


def test_types_are_words_between_full_stops_and_each_model_is_listed_under_its_own() -> None:
    for name, kind in EVENTS.items():
        assert kind.type == name
        assert all(part.replace("_", "").isalpha() and part.islower() for part in name.split("."))


def test_the_organisation_is_the_connections_own() -> None:
    assert CredentialValid(connection=CONNECTION, team=None, at=1).org == "end10843"
    with pytest.raises(ValidationError):
        CredentialValid(connection=CONNECTION, org="another", team=None, at=1)


@pytest.mark.parametrize("kind", EVENTS.values())
def test_nothing_else_fits_in_and_what_was_given_is_not_shown(kind: type[Ping]) -> None:
    with pytest.raises(ValidationError) as caught:
        kind.model_validate({"at": 1, "text": "a secret of the customer"})
    assert "a secret" not in str(caught.value)


def test_a_time_has_six_digits_behind_the_second() -> None:
    assert timestamp(1764000000000000) == "2025-11-24T16:00:00.000000Z"
    assert timestamp(1764000000123456) == "2025-11-24T16:00:00.123456Z"


def test_ten_tries_take_three_days() -> None:
    assert len(WAITS) == 9
    assert PATIENCE == 75 * 3600 + 35 * 60 + 5
    assert [wait(tries, 0.0, None) for tries in range(1, 11)] == [*WAITS, None]


def test_a_wait_is_spread_a_little_and_never_shorter_than_the_receiver_asked_for() -> None:
    assert wait(1, 0.999, None) == pytest.approx(5.5, rel=0.01)
    assert wait(1, 0.0, 3600.0) == 3600.0
    assert wait(2, 0.0, 1.0) == 300.0


def test_an_address_is_left_alone_for_longer_each_time_up_to_five_minutes() -> None:
    waits = [park(failures, 1.0, None) for failures in range(1, 15)]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (2.0, LONGEST_PARK)
    assert park(1, 0.0, None) == 1.0
    assert park(1, 0.0, 900.0) == 900.0

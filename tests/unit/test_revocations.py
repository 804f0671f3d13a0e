"""Which effects end a revocation."""

from pipeline.events import MOST_CHANNELS
from pipeline.models import Internal, User
from pipeline.revocations import revocation
from pipeline.rules.exclusion import ERASED, READMITTED, fences
from pipeline.store.allowlists import retractions

CONNECTION, RECEIPT, TEAM = "rob@example.com/end10843", "0a" + "5e" * 16, "T0534672TWT"


def told(*records: Internal) -> dict[str, object] | None:
    event = revocation(CONNECTION, RECEIPT, records, 7)
    return None if event is None else event.model_dump(include={"kind", "team", "channels", "channel_count"})


def connection_record(*, deleted: bool, team: str | None = TEAM) -> User:
    return User(id="connection:rob@example.com", version="0" * 32, deleted=deleted, kind="connection", team=team)


def test_channels_taken_off_a_list_are_named_once_each() -> None:
    records = [*retractions(TEAM, "C2", 9, "revoked"), *retractions(TEAM, "C1", 9, "revoked")]
    assert told(*records) == {"kind": "allowlist", "team": TEAM, "channels": ["C1", "C2"], "channel_count": 2}


def test_a_connection_that_ends_is_a_revocation_even_where_others_allow_all_its_channels() -> None:
    gone = connection_record(deleted=True)
    assert told(gone) == {"kind": "disconnect", "team": TEAM, "channels": [], "channel_count": 0}
    both = told(gone, *retractions(TEAM, "C1", 9, "disconnected"))
    assert both == {"kind": "disconnect", "team": TEAM, "channels": ["C1"], "channel_count": 1}
    assert (told(connection_record(deleted=True, team=None)) or {})["team"] is None


def test_a_person_is_not_named() -> None:
    event = revocation(CONNECTION, RECEIPT, fences((TEAM, "U0PERSON"), 9, ERASED), 7)
    assert event is not None
    assert (event.kind, event.channels, event.receipt) == ("person", [], RECEIPT)
    assert "U0PERSON" not in event.model_dump_json()


def test_what_revokes_nothing_that_was_asked_for_is_not_told() -> None:
    assert told(connection_record(deleted=False)) is None
    assert told(*fences((TEAM, "U1"), 9, READMITTED)) is None
    assert told(*retractions(TEAM, "C1", 9, "restored")) is None
    assert told() is None


def test_a_list_of_thousands_stays_a_small_event() -> None:
    records = [one for n in range(3000) for one in retractions(TEAM, f"C{n:010}", 9, "revoked")]
    event = revocation(CONNECTION, RECEIPT, records, 7)
    assert event is not None
    assert (len(event.channels), event.channel_count) == (MOST_CHANNELS, 3000)
    assert len(event.model_dump_json()) < 20_000

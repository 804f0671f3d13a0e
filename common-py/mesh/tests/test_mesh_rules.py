"""Which state wins: the two stores agree on every step, and both agree with the sentence that defines it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from common_mesh.reference.memory import MemoryStore
from common_mesh.reference.sqlite import SQLiteStore
from common_mesh.reference.store import Answer, Filters, KeyReused, Request, Space, Store
from hypothesis import given, settings
from hypothesis import strategies as st
from mesh_samples import Fence, Note, fence, ndjson, note, version

MESSAGES = Space("org", "slack", "message")
FENCES = Space("org", "slack", "retraction")
EVERYTHING = Filters(all=True)


def put(store: Store, *models: Note | Fence, request: Request | None = None) -> Answer:
    space = FENCES if isinstance(models[0], Fence) else MESSAGES
    return store.apply(space, ndjson(*models).splitlines(), request)


def live(store: Store) -> dict[str, Any]:
    return {rid: json.loads(body) for rid, body in store.records(MESSAGES, "", 1_000, Filters())}


@contextmanager
def opened(kind: str) -> Iterator[Store]:
    with TemporaryDirectory() as folder:
        store = MemoryStore() if kind == "memory" else SQLiteStore(f"sqlite:///{Path(folder) / 'm.db'}", log=True)
        try:
            yield store
        finally:
            store.close()


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    with opened(request.param) as store:
        yield store


def test_the_highest_version_wins_whatever_comes_first(store: Store) -> None:
    assert put(store, note(1, 2, text="new")).outcomes == "c"
    assert put(store, note(1, 1, text="old")).outcomes == "s"
    assert put(store, note(1, 2, text="new")).outcomes == "n"
    assert live(store)["n000001"]["text"] == "new"


def test_versions_are_compared_as_text_of_fixed_width(store: Store) -> None:
    put(store, note(1, 9))
    assert put(store, note(1, 10)).outcomes == "u"


def test_within_one_batch_records_are_taken_in_order(store: Store) -> None:
    assert put(store, note(1, 1), note(1, 3), note(1, 2), note(1, 3)).outcomes == "cusn"
    assert [e.version for e in store.effects(MESSAGES, 0, 9) or []] == [version(1), version(3)]


def test_a_deleted_record_is_kept_and_not_counted(store: Store) -> None:
    put(store, note(1, 1), note(2, 1))
    put(store, note(1, 2, deleted=True))
    assert store.count(MESSAGES) == 1
    assert list(live(store)) == ["n000002"]
    shown = [json.loads(body) for _, body in store.records(MESSAGES, "", 9, EVERYTHING)]
    assert [(record["id"], record["deleted"]) for record in shown] == [("n000001", True), ("n000002", False)]
    assert put(store, note(1, 1)).outcomes == "s"


def test_a_deletion_before_its_record_holds(store: Store) -> None:
    put(store, note(1, 2, deleted=True))
    assert put(store, note(1, 1)).outcomes == "s"
    assert live(store) == {}


def test_a_fence_kills_what_is_there(store: Store) -> None:
    put(store, note(1, 1), note(2, 5), note(3, 1, channel="C2"))
    put(store, fence(5))
    assert list(live(store)) == ["n000002", "n000003"]
    assert [(e.id, e.outcome) for e in store.effects(MESSAGES, 3, 9) or []] == [("n000001", "retracted")]


def test_a_fence_kills_what_comes_later(store: Store) -> None:
    put(store, fence(5))
    assert put(store, note(1, 4), note(2, 5), note(3, 4, channel="C2")).outcomes == "scc"
    assert list(live(store)) == ["n000002", "n000003"]
    assert [e.id for e in store.effects(MESSAGES, 0, 9) or []] == ["n000002", "n000003"]


def test_a_later_record_of_a_higher_epoch_revives(store: Store) -> None:
    put(store, note(1, 1))
    put(store, fence(5))
    assert put(store, note(1, 4)).outcomes == "s"
    assert put(store, note(1, 5)).outcomes == "u"
    assert list(live(store)) == ["n000001"]


def test_what_a_fence_killed_is_not_unchanged_when_it_comes_again(store: Store) -> None:
    put(store, note(1, 1))
    put(store, fence(5))
    assert put(store, note(1, 1)).outcomes == "s"


def test_a_fence_keeps_nothing_but_id_version_and_the_mark(store: Store) -> None:
    put(store, note(1, 1, text="canary"))
    put(store, fence(5))
    ((_, body),) = store.records(MESSAGES, "", 9, EVERYTHING)
    assert json.loads(body) == {"id": "n000001", "version": version(1), "deleted": False, "dead": True}


def test_a_fence_with_a_window_takes_the_end_and_not_the_start(store: Store) -> None:
    put(store, *(note(n, 1) for n in (9, 10, 11, 20, 21)))
    put(store, fence(5, after=10, until=20))
    assert [record["ts_us"] for record in live(store).values()] == [9, 10, 21]


def test_a_fence_with_one_bound_asks_for_a_time(store: Store) -> None:
    put(store, note(9, 1), note(11, 1), Note(id="timeless", version=version(1)))
    put(store, fence(5, after=10))
    assert list(live(store)) == ["n000009", "timeless"]


def test_a_fence_matches_all_of_its_fields(store: Store) -> None:
    put(store, note(1, 1, team="T1", channel="C1"), note(2, 1, team="T2", channel="C1"))
    put(store, fence(5, match={"channel": "C1", "team": "T2"}))
    assert list(live(store)) == ["n000001"]


def test_a_fence_may_match_a_field_without_a_column(store: Store) -> None:
    put(store, note(1, 1, text="this"), note(2, 1, text="that"))
    put(store, fence(5, match={"text": "this"}))
    assert put(store, note(3, 1, text="this")).outcomes == "s"
    assert list(live(store)) == ["n000002"]


@pytest.mark.parametrize("field", ["channel", "text"])
@pytest.mark.parametrize("elsewhere", ["", "\ud800"])
def test_a_fence_takes_a_text_for_no_other(store: Store, field: str, elsewhere: str) -> None:
    values = ["é", "e", "\\u00e9", "é\0x", "\0", "", '"', "\\", "\n", "\U0001f600", "%"]
    line = {"version": version(1), "elsewhere": elsewhere}
    lines = [json.dumps({**line, "id": f"v{at}", field: value}).encode() for at, value in enumerate(values)]
    store.apply(MESSAGES, lines, None)
    for at, value in enumerate(values):
        put(store, fence(5, match={field: value}))
        assert list(live(store)) == sorted(f"v{left}" for left in range(at + 1, len(values)))


def test_fences_of_many_kinds_and_targets_in_one_batch_are_all_kept(store: Store) -> None:
    models = [note(1, channel="C1"), note(2, text="this"), note(3, channel="C3"), note(4), note(5, channel="C5")]
    put(store, *models)
    other = Space("org", "slack", "other")
    store.apply(other, ndjson(*models).splitlines(), None)
    fences = [
        fence(5, match={"channel": "C1"}, after=0, until=1),
        fence(4, match={"text": "this"}),
        fence(5, match={"text": "this"}),
        fence(5, match={"channel": "C3", "team": "T1"}),
        fence(5, match={"channel": "C5"}, target="other"),
    ]
    assert put(store, *fences).outcomes == "ccucc"
    assert list(live(store)) == ["n000004", "n000005"]
    assert store.count(other) == 4


def test_a_lower_fence_of_the_same_scope_changes_nothing(store: Store) -> None:
    put(store, fence(5))
    assert put(store, fence(3)).outcomes == "s"
    assert put(store, note(1, 4)).outcomes == "s"


def test_a_fence_stays_within_its_organisation_and_module(store: Store) -> None:
    for org, module in (("org", "slack"), ("other", "slack"), ("org", "mail")):
        store.apply(Space(org, module, "message"), ndjson(note(1, 1)).splitlines(), None)
    put(store, fence(5))
    assert {space: n for space, n in store.spaces().items() if space.model == "message" and n} == {
        Space("org", "mail", "message"): 1,
        Space("other", "slack", "message"): 1,
    }


def test_retractions_are_records_too(store: Store) -> None:
    put(store, fence(5), fence(5, match={"channel": "C2"}))
    assert store.count(FENCES) == 2
    assert put(store, fence(6)).outcomes == "u"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"deleted": True}, "fence_deleted"),
        ({"target": ""}, "bad_target"),
        ({"target": "retraction"}, "bad_target"),
        ({"below": "5"}, "bad_below"),
        ({"below": f"{6:016d}"}, "bad_below"),
        ({"match": {}}, "bad_match"),
        ({"match": {"a b": "x"}}, "bad_match"),
        ({"match": {f"f{n}": "x" for n in range(17)}}, "bad_match"),
        ({"after": -1}, "bad_window"),
        ({"until": 2**63}, "bad_window"),
    ],
)
def test_a_fence_that_is_none_is_rejected_alone(store: Store, change: dict[str, Any], reason: str) -> None:
    bad = fence(5).model_copy(update=change)
    answer = put(store, bad, fence(5, match={"channel": "C2"}))
    assert answer.outcomes == "rc"
    assert [(r.index, r.reason) for r in answer.rejected] == [(0, reason)]


LINE = {"id": "a", "version": version(1)}


@pytest.mark.parametrize(
    ("line", "reason", "named"),
    [
        (b"", "not_json", False),
        (b"{", "not_json", False),
        (b"\xff{}", "not_json", False),
        (b'\xef\xbb\xbf{"id":"a"}', "not_json", False),
        ('{"id":"a"}'.encode("utf-16"), "not_json", False),
        (b'{"id":"a","x":NaN}', "not_json", False),
        (b'{"id":"a","version":"%s","x":1e999}' % version(1).encode(), "not_json", True),
        (b'{"x":' + b"9" * 5_000 + b"}", "not_json", False),
        (b"[" * 100_000, "not_json", False),
        (b"[]", "not_object", False),
        (b'"text"', "not_object", False),
        (b'{"version":"1"}', "bad_id", False),
        (json.dumps({**LINE, "id": ""}).encode(), "bad_id", False),
        (json.dumps({**LINE, "id": 7}).encode(), "bad_id", False),
        (json.dumps({**LINE, "id": "a\0b"}).encode(), "bad_id", False),
        (json.dumps({**LINE, "id": "\ud800"}).encode(), "bad_id", False),
        (json.dumps({**LINE, "id": "x" * 1_025}).encode(), "bad_id", False),
        (json.dumps({"id": "a"}).encode(), "bad_version", True),
        (json.dumps({**LINE, "version": 1}).encode(), "bad_version", True),
        (json.dumps({**LINE, "version": "1" * 31}).encode(), "bad_version", True),
        (json.dumps({**LINE, "version": "٣" * 32}).encode(), "bad_version", True),
        (json.dumps({**LINE, "version": "1" * 32 + "\n"}).encode(), "bad_version", True),
        (json.dumps({**LINE, "deleted": 1}).encode(), "bad_deleted", True),
        (json.dumps({**LINE, "deleted": None}).encode(), "bad_deleted", True),
        (json.dumps({**LINE, "ts_us": "1"}).encode(), "bad_ts_us", True),
        (json.dumps({**LINE, "ts_us": True}).encode(), "bad_ts_us", True),
        (json.dumps({**LINE, "ts_us": 1.0}).encode(), "bad_ts_us", True),
        (json.dumps({**LINE, "ts_us": 10**30}).encode(), "bad_ts_us", True),
    ],
)
def test_a_line_that_is_no_record_is_rejected_alone(store: Store, line: bytes, reason: str, *, named: bool) -> None:
    answer = store.apply(MESSAGES, [ndjson(note(1)).strip(), line, ndjson(note(2)).strip()], None)
    assert answer.outcomes == "crc"
    assert [(r.index, r.id, r.reason) for r in answer.rejected] == [(1, "a" if named else None, reason)]


def test_strange_but_legal_text_is_kept_as_it_is(store: Store) -> None:
    text = "\0 \ud800 \U0001f600 \u00a0 \u2028 é"
    line = json.dumps({**LINE, "text": text, "channel": text, "lane": 7}).encode()
    assert store.apply(MESSAGES, [line], None).outcomes == "c"
    assert live(store)["a"]["text"] == text


def test_of_two_equal_keys_the_one_that_counts_is_the_one_that_is_kept(store: Store) -> None:
    store.apply(MESSAGES, [b'{"id":"a","text":"canary","version":"%s","text":"kept"}' % version(1).encode()], None)
    ((_, body),) = store.records(MESSAGES, "", 9, EVERYTHING)
    assert "canary" not in body


def test_the_same_key_gets_the_same_answer_and_another_body_does_not(store: Store) -> None:
    first = put(store, note(1), note(2), request=Request("k", "d"))
    again = put(store, note(1), note(2), request=Request("k", "d"))
    assert (first.outcomes, again.outcomes) == ("cc", "cc")
    with pytest.raises(KeyReused):
        put(store, note(3), request=Request("k", "other"))
    assert store.count(MESSAGES) == 2


def test_pages_go_by_id_and_filter_by_time_and_version(store: Store) -> None:
    put(store, *(note(n, 1 + n % 2) for n in range(10)))
    page = store.records(MESSAGES, "n000003", 3, Filters())
    assert [rid for rid, _ in page] == ["n000004", "n000005", "n000006"]
    window = store.records(MESSAGES, "", 9, Filters(ts_after=2, ts_until=5))
    assert [rid for rid, _ in window] == ["n000003", "n000004", "n000005"]
    newer = store.records(MESSAGES, "", 9, Filters(version_after=version(1)))
    assert [rid for rid, _ in newer] == [f"n{n:06d}" for n in (1, 3, 5, 7, 9)]


def test_a_page_ends_early_where_records_are_large_and_shows_one_at_least(store: Store) -> None:
    put(store, *(note(n, text="x" * 1_000) for n in range(6)))
    assert len(store.records(MESSAGES, "", 9, Filters(), 2_500)) == 3
    assert len(store.records(MESSAGES, "", 9, Filters(), 1)) == 1


PREFIXES = st.text(st.sampled_from("aé\ud7ff\ue000\U0010ffff:"), max_size=3)


@settings(max_examples=60, deadline=None)
@given(st.sets(PREFIXES.filter(bool), max_size=8), PREFIXES)
def test_a_prefix_finds_what_begins_with_it_and_nothing_else(ids: set[str], prefix: str) -> None:
    lines = [json.dumps({"id": rid, "version": version(1)}).encode() for rid in ids]
    for kind in ("memory", "sqlite"):
        with opened(kind) as store:
            store.apply(MESSAGES, lines, None)
            found = [rid for rid, _ in store.records(MESSAGES, "", 99, Filters(prefix=prefix))]
        assert found == sorted(rid for rid in ids if rid.startswith(prefix))


# Laws. Ids, channels, times and epochs from small sets, so that they meet. A version has one content.

EPOCHS = st.integers(1, 5)
CHANNELS = st.sampled_from(["C1", "C2"])


@st.composite
def arrivals(draw: st.DrawFn) -> list[Note | Fence]:
    by_version: dict[tuple[str, str], Note] = {}
    notes_ = st.builds(
        lambda number, epoch, channel, deleted, timeless: Note(
            id=f"n{number}",
            version=version(epoch),
            deleted=deleted,
            channel=channel,
            ts_us=None if timeless else number,
            text=f"{channel} {epoch}",
        ),
        st.integers(1, 4),
        EPOCHS,
        CHANNELS,
        st.booleans(),
        st.booleans(),
    )
    bounds = st.none() | st.integers(0, 4)
    fields: list[dict[str, str]] = [{"channel": "C1"}, {"channel": "C2"}, {"team": "T1"}, {"text": "C1 2"}]
    matches = st.sampled_from([*fields, {"team": "T1", "channel": "C2"}, {"team": "T1", "text": "C2 1"}])
    fences = st.builds(lambda b, m, a, u: fence(b, match=m, after=a, until=u), EPOCHS, matches, bounds, bounds)
    drawn = draw(st.lists(notes_ | fences, max_size=14))
    return [by_version.setdefault((m.id, m.version), m) if isinstance(m, Note) else m for m in drawn]


def by_definition(models: list[Note | Fence]) -> dict[str, str]:
    """Live is, of each id, the highest version that came, unless it is deleted or any fence covers it."""
    newest: dict[str, Note] = {}
    for model in models:
        if isinstance(model, Note) and (model.id not in newest or newest[model.id].version < model.version):
            newest[model.id] = model
    fences = [model for model in models if isinstance(model, Fence)]
    alive = (n for n in newest.values() if not n.deleted and not any(_covers(f, n) for f in fences))
    return {n.id: n.text for n in alive}


def _covers(fence: Fence, note: Note) -> bool:
    if any(getattr(note, field) != value for field, value in fence.match.items()) or note.version[:16] >= fence.below:
        return False
    if fence.after is None and fence.until is None:
        return True
    after, until = fence.after, fence.until
    return note.ts_us is not None and (after is None or note.ts_us > after) and (until is None or note.ts_us <= until)


def texts(store: Store) -> dict[str, str]:
    return {rid: record["text"] for rid, record in live(store).items()}


@settings(max_examples=150, deadline=None)
@given(arrivals(), st.randoms(use_true_random=False))
def test_any_order_of_records_and_retractions_gives_the_same_live_state(
    models: list[Note | Fence], random: Any
) -> None:
    expected = by_definition(models)
    for _ in range(3):
        with opened("memory") as store:
            for model in models:
                put(store, model)
            assert texts(store) == expected
            effects = store.effects(MESSAGES, 0, 1_000) or []
            applied = [(e.id, e.version) for e in effects if e.outcome != "retracted"]
            assert len(applied) == len(set(applied))
        random.shuffle(models)


@settings(max_examples=40, deadline=None)
@given(arrivals(), st.integers(1, 4))
def test_the_two_stores_answer_keep_and_log_the_same(models: list[Note | Fence], size: int) -> None:
    with opened("memory") as memory, opened("sqlite") as sqlite:
        for space, wanted in ((MESSAGES, Note), (FENCES, Fence), (MESSAGES, Note)):
            chosen = [model for model in models if isinstance(model, wanted)]
            for start in range(0, len(chosen), size):
                lines = ndjson(*chosen[start : start + size]).splitlines()
                assert memory.apply(space, lines, None) == sqlite.apply(space, lines, None)
        for space in (MESSAGES, FENCES):
            assert memory.records(space, "", 99, EVERYTHING) == sqlite.records(space, "", 99, EVERYTHING)
            assert memory.effects(space, 0, 999) == sqlite.effects(space, 0, 999)
            assert memory.count(space) == sqlite.count(space)
        assert memory.spaces() == sqlite.spaces()
        assert texts(sqlite) == by_definition(models)

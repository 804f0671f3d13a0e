from hypothesis import given
from hypothesis import strategies as st

from pipeline.rules.allowlist import Allowed, Entry, difference, union

TEAMS, NAMES, WHO = ["T1", "T2"], ["C1", "C2", "C3"], ["rob/o", "ann/o", "eve/o"]
ENTRIES = st.lists(
    st.builds(Entry, *map(st.sampled_from, (TEAMS, NAMES, WHO)), st.integers(0, 9), st.integers(0, 9)),
    unique_by=lambda entry: entry[:3],
)
WANTED = st.lists(st.sampled_from(NAMES))


@given(ENTRIES, st.sampled_from(TEAMS))
def test_a_channel_is_admitted_exactly_where_somebody_of_the_team_allows_it(entries: list[Entry], team: str) -> None:
    allowed = union(entries, team)
    for name in NAMES:
        assert allowed.admits(name) == any(e.team == team and e.channel == name for e in entries)


@given(ENTRIES, st.sampled_from(TEAMS), st.randoms(use_true_random=False))
def test_the_order_of_entries_means_nothing(entries: list[Entry], team: str, random: object) -> None:
    shuffled = list(entries)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert union(shuffled, team) == union(entries, team)


@given(ENTRIES, st.text(max_size=3) | st.none())
def test_what_is_not_plainly_allowed_is_not(entries: list[Entry], channel: str | None) -> None:
    allowed = union(entries, "T1")
    if channel not in NAMES:
        assert not allowed.admits(channel)
        assert allowed.refusal(channel) in ("unknown_channel", "not_allowed", "no_list")
    assert not Allowed().admits(channel)


def test_a_refusal_tells_no_channel_from_no_list_from_another_list() -> None:
    some = union([Entry("T1", "C1", "rob/o", 1)], "T1")
    assert [some.refusal(None), some.refusal("C2"), Allowed().refusal("C2")] == [
        "unknown_channel",
        "not_allowed",
        "no_list",
    ]


def put(entries: list[Entry], who: str, wanted: list[str]) -> list[Entry]:
    """What a PUT leaves: the connection's own entries replaced, everybody else's untouched."""
    change = difference(union(entries, "T1"), who, wanted)
    kept = [e for e in entries if not (e.team == "T1" and e.connection == who and e.channel in change.removed)]
    return kept + [Entry("T1", name, who, 9) for name in change.added]


@given(ENTRIES, st.sampled_from(WHO), WANTED)
def test_a_put_makes_the_own_list_the_wanted_one_and_a_second_changes_nothing(
    entries: list[Entry], who: str, wanted: list[str]
) -> None:
    after = put(entries, who, wanted)
    assert {e.channel for e in after if e.team == "T1" and e.connection == who} == set(wanted)
    assert [e for e in after if e.connection != who] == [e for e in entries if e.connection != who]
    assert difference(union(after, "T1"), who, wanted) == ([], [], [])


@given(ENTRIES, st.sampled_from(WHO), WANTED)
def test_a_channel_is_orphaned_exactly_when_its_last_allower_goes(
    entries: list[Entry], who: str, wanted: list[str]
) -> None:
    before, after = union(entries, "T1"), union(put(entries, who, wanted), "T1")
    change = difference(before, who, wanted)
    assert set(change.orphaned) == {name for name in NAMES if before.admits(name) and not after.admits(name)}


@given(ENTRIES, st.sampled_from(NAMES), st.sampled_from(WHO))
def test_the_first_allower_is_the_one_who_allows_it_longest(entries: list[Entry], channel: str, gone: str) -> None:
    allowed = union(entries, "T1")
    others = [e for e in entries if e.team == "T1" and e.channel == channel and e.connection != gone]
    first = allowed.first(channel, without=gone)
    assert (first is None) == (not others)
    if first is not None:
        assert (first[1].since, first[0]) == min((e.since, e.connection) for e in others)

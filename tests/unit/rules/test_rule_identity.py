import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.models import AllowedSlackChannel
from pipeline.rules.allowlist import Entry, union
from pipeline.rules.identity import Baseline, Evidence, Judgement, is_direct, judge, twins
from pipeline.rules.versions import version

UNSHARED, SHARED, UNKNOWN = Baseline(False, 10, 10), Baseline(True, 10, 10), Baseline()


def channel(id_: str, **said: object) -> AllowedSlackChannel:
    return AllowedSlackChannel(id=f"T1:{id_}", version=version(1), team="T1", channel=id_, **said)


def judged(*seen: AllowedSlackChannel, known: tuple[AllowedSlackChannel, ...] = (), **baselines: Baseline) -> Judgement:
    return judge([], seen, {one.channel: one for one in known}, baselines)


def notice(name: str, at: int | None, change: str = "id_changed", **baselines: Baseline) -> tuple[Evidence, ...]:
    told = Evidence(name, change, "C9" if change == "id_changed" else None, at)  # type: ignore[arg-type]
    return judge([told], [], {}, baselines).pauses


def test_a_channel_that_another_company_is_let_into_is_paused() -> None:
    found = judged(channel("C1", is_ext_shared=True), C1=UNSHARED)
    assert found == Judgement((Evidence("C1", "shared_externally"),))


@pytest.mark.parametrize("shared", [{}, {"is_shared": True}])
def test_sharing_within_a_company_is_not_external(shared: dict[str, bool]) -> None:
    assert judged(channel("C1", **shared), C1=UNSHARED) == Judgement()


def test_what_was_external_when_it_was_allowed_or_confirmed_is_paused_for_it_no_more() -> None:
    assert judged(channel("C1", is_ext_shared=True), C1=SHARED) == Judgement()


def test_a_channel_that_is_on_no_list_is_nobodys_question() -> None:
    assert judged(channel("C1", is_ext_shared=True), C2=UNSHARED) == Judgement()


def test_a_channel_whose_sharing_ended_is_asked_about_when_it_begins_again() -> None:
    assert judged(channel("C1"), C1=SHARED) == Judgement((), ("C1",))
    assert judged(channel("C1"), channel("C1", is_ext_shared=True), C1=UNSHARED).pauses


def test_a_channel_that_was_allowed_unseen_is_asked_about_unless_the_directory_had_it_so() -> None:
    shared = channel("C1", is_ext_shared=True)
    assert judged(shared, C1=UNKNOWN).pauses
    assert judged(shared, known=(channel("C1"),), C1=UNKNOWN).pauses
    assert judged(shared, known=(shared,), C1=UNKNOWN) == Judgement()
    assert judged(channel("C1"), C1=UNKNOWN) == Judgement((), ("C1",))


def test_a_channel_that_comes_back_under_another_id_is_paused_and_the_new_id_is_told() -> None:
    old, new = channel("G1", name="plans", created_at=5), channel("C9", name="plans", created_at=5)
    assert judged(new, known=(old,), G1=UNSHARED).pauses == (Evidence("G1", "id_changed", "C9"),)
    assert judged(new, known=(old, new), G1=UNSHARED) == Judgement(), "the directory had both before"


def test_a_channel_that_was_renamed_on_the_way_is_known_by_an_earlier_name() -> None:
    old, new = channel("G1", name="plans", created_at=5), channel("C9", name="q3-plans", created_at=5)
    earlier = {"C9": {"ideas", "plans"}, "C8": {"plans"}}
    assert twins(new, {"G1": old}, earlier) == ["G1"]
    assert judge([], [new], {"G1": old}, {"G1": UNSHARED}, earlier).pauses == (Evidence("G1", "id_changed", "C9"),)
    assert twins(new, {"G1": old}, {"C9": {"ideas"}}) == twins(new, {"G1": channel("G1", created_at=5)}, earlier) == []
    assert twins(channel("C9", name="q3-plans"), {"G1": old}, earlier) == []


@pytest.mark.parametrize("other", [{"name": "plans"}, {"created_at": 5}, {"name": "plan", "created_at": 5}])
def test_likeness_in_part_is_no_change_of_id(other: dict[str, object]) -> None:
    known = {"G1": channel("G1", name="plans", created_at=5), "G2": channel("G2")}
    assert twins(channel("C9", **other), known) == []
    assert twins(known["G1"], known) == []


def test_a_notice_tells_once_and_an_old_one_tells_nothing() -> None:
    assert notice("G1", 11, G1=UNSHARED) == (Evidence("G1", "id_changed", "C9", 11),)
    assert notice("G1", None, G1=UNSHARED), "without a time it is taken for new"
    assert notice("G1", 10, G1=UNSHARED) == ()
    assert notice("G1", 11, C1=UNSHARED) == ()
    assert notice("G1", 11, "shared_externally", G1=UNSHARED)
    assert notice("G1", 11, "shared_externally", G1=SHARED) == ()
    assert notice("G1", 11, "shared_externally", G1=Baseline(False, 12, 10)) == ()
    assert notice("G1", 11, "id_changed", G1=Baseline(False, 12, 10)), "what ended meanwhile is the sharing"


def test_of_one_change_told_twice_the_first_stands_and_two_changes_are_two() -> None:
    first, second = Evidence("C1", "id_changed", "C8", 20), Evidence("C1", "id_changed", "C9", 21)
    found = judge([first, second], [channel("C1", is_ext_shared=True)] * 2, {}, {"C1": UNSHARED})
    assert found.pauses == (first, Evidence("C1", "shared_externally"))


@given(st.sampled_from("CDGX"), st.booleans(), st.booleans())
def test_the_directory_says_what_a_direct_message_is_and_no_prefix(prefix: str, im: bool, mpim: bool) -> None:
    assert is_direct(f"{prefix}1", channel(f"{prefix}1", is_im=im, is_mpim=mpim)) == (im or mpim)
    assert is_direct(f"{prefix}1", None) == (prefix == "D")


def test_what_is_kept_back_is_on_the_list_and_passes_not() -> None:
    listed = union([Entry("T1", "C1", "rob/o", 1), Entry("T1", "C2", "rob/o", 1)], "T1")
    kept = listed.without({"C1": "channel_paused", "C9": "channel_paused"}).without({"C1": "direct_message"})
    assert (kept.admits("C1"), kept.admits("C2"), listed.admits("C1")) == (False, True, True)
    assert (kept.refusal("C1"), kept.refusal("C9")) == ("channel_paused", "not_allowed")
    assert (kept.since("C1", "rob/o"), kept.since("C2", "rob/o")) == (None, 1)
    assert set(kept.channels) == {"C1", "C2"}

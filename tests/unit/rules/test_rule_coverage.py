from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.rules.coverage import covered, page_facts, proof
from pipeline.rules.showing import Showing, Tally, Thread, showing

TS = st.integers(1, 99).map(lambda n: f"17000000{n:02d}.000100")
SOME = Thread(1, "1700000099.000100")
CURSORS = st.text(alphabet="ab=|.\ud800", max_size=3)


@dataclass(frozen=True)
class Page:
    """One page as it was posted."""

    channel: str
    thread_ts: str
    cursor: str | None
    next_cursor: str | None
    has_more: bool | None
    parents: tuple[str, ...] = ()

    def facts(self) -> list[str]:
        asked: dict[str, Any] = {"cursor": self.cursor, "next_cursor": self.next_cursor, "has_more": self.has_more}
        return page_facts(self.channel, self.thread_ts, **asked, shows=Showing({}, dict.fromkeys(self.parents, SOME)))


def facts_of(pages: list[Page]) -> set[str]:
    return {fact for page in pages for fact in page.facts()}


@st.composite
def chains(draw: st.DrawFn, channel: str, thread_ts: str, parents: tuple[str, ...] = ()) -> list[Page]:
    """Pages from "" to the end; the parents are spread over them."""
    cursors = ["", *draw(st.lists(CURSORS.filter(bool), max_size=4, unique=True))]
    pages = []
    for number, cursor in enumerate(cursors):
        last = number == len(cursors) - 1
        shown = tuple(ts for i, ts in enumerate(parents) if i % len(cursors) == number)
        pages.append(Page(channel, thread_ts, cursor, "" if last else cursors[number + 1], not last, shown))
    return pages


@st.composite
def windows(draw: st.DrawFn, channel: str = "C1") -> list[Page]:
    """Everything that a channel's window needs: history, and each thread that the history showed."""
    parents = tuple(draw(st.lists(TS, max_size=3, unique=True)))
    pages = draw(chains(channel, "", parents))
    for ts in parents:
        pages += draw(chains(channel, ts))
    return pages


@given(windows(), st.randoms(use_true_random=False), st.integers(0, 3))
def test_an_unbroken_window_is_covered_in_any_order_and_with_repeats(pages: list[Page], random: Any, more: int) -> None:
    pages = pages + random.choices(pages, k=more)
    random.shuffle(pages)
    assert covered(facts_of(pages), "C1")


@given(windows(), st.data())
def test_a_window_that_lacks_any_page_is_never_covered(pages: list[Page], data: st.DataObject) -> None:
    missing = data.draw(st.sampled_from(pages))
    rest = [page for page in pages if page != missing]
    # Without the page that showed a parent, nobody knows of its thread; the history itself is broken then.
    assert not covered(facts_of(rest), "C1")


@given(windows(), windows())
def test_what_was_proved_stays_proved_whatever_else_comes(pages: list[Page], others: list[Page]) -> None:
    """A second execution of the same attempt has cursors of its own, and shows no thread that the first did not."""
    shown = {ts for page in pages for ts in page.parents}
    more = [Page(p.channel, p.thread_ts, p.cursor, p.next_cursor, p.has_more) for p in others]
    assert covered(facts_of(pages + [page for page in more if page.thread_ts in shown | {""}]), "C1")


@given(
    st.lists(
        st.builds(
            Page,
            st.sampled_from(["C1", "C2"]),
            TS | st.just(""),
            CURSORS | st.none(),
            CURSORS | st.none(),
            st.booleans() | st.none(),
        ),
        max_size=12,
    )
)
def test_no_heap_of_pages_hangs_and_none_without_an_end_proves_anything(pages: list[Page]) -> None:
    proved = covered(facts_of(pages), "C1")
    ends = [p for p in pages if p.channel == "C1" and not p.thread_ts and p.has_more is False and p.cursor is not None]
    assert not proved or ends


@given(windows("C1"), windows("C2"), st.data())
def test_one_channels_pages_prove_nothing_of_anothers(one: list[Page], other: list[Page], data: st.DataObject) -> None:
    one.remove(data.draw(st.sampled_from(one)))
    assert not covered(facts_of(one + other), "C1")
    assert covered(facts_of(one + other), "C2")


def test_a_circle_of_cursors_ends_and_proves_nothing() -> None:
    circle = [Page("C1", "", "", "a", True), Page("C1", "", "a", "b", True), Page("C1", "", "b", "a", True)]
    assert not covered(facts_of(circle), "C1")
    assert not covered(facts_of([Page("C1", "", "", "", True)]), "C1")


def test_a_page_that_does_not_say_where_it_belongs_is_no_fact() -> None:
    assert Page("C1", "", None, "", False).facts() == []
    assert Page("C1", "", "", "", None).facts() == []
    assert Page("C1", "", "", None, True).facts() == [], "more to come, and nowhere to go on"
    assert not covered([], "C1")


def test_a_thread_that_shows_parents_adds_no_lane() -> None:
    """Replies repeat their parent; only history says which threads must be read."""
    pages = [Page("C1", "", "", "", False), Page("C1", "1700000001.000100", "", "", False, ("1700000002.000100",))]
    assert covered(facts_of(pages), "C1")


def test_a_window_whose_threads_were_not_asked_for_is_covered_by_its_history() -> None:
    facts = facts_of([Page("C1", "", "", "", False, ("1700000001.000100",))])
    assert proof(facts, "C1") is None
    found = proof(facts, "C1", replies=False)
    assert found is not None
    assert (found.pages, found.threads, found.replies) == (1, {"1700000001.000100": SOME}, {})


def test_a_thread_that_was_asked_for_alone_is_covered_by_its_own_pages() -> None:
    ts = "1700000001.000100"
    pages = [Page("C1", ts, "", "a", True, (ts,)), Page("C1", ts, "a", "", False)]
    assert proof(facts_of(pages[:1]), "C1", thread=ts) is None
    found = proof(facts_of(pages), "C1", thread=ts)
    assert found is not None
    assert (found.pages, found.threads) == (2, {ts: SOME})
    assert proof(facts_of(pages), "C1") is None, "it is no history"


MESSAGES = st.lists(st.integers(0, 9 * 86_400_000_000), unique=True, max_size=30).map(
    lambda times: [{"ts": f"17{us:014d}"[:10] + "." + f"17{us:014d}"[10:16]} for us in times]
)


@given(MESSAGES, st.randoms(use_true_random=False), st.integers(1, 5))
def test_what_a_window_showed_is_the_same_however_its_pages_were_cut(
    messages: list[Any], random: Any, pages: int
) -> None:
    """Tallies of disjoint pages add up to the tally of all of it; a page that came twice counts once."""
    random.shuffle(messages)
    whole = showing(messages, thread="", since=0).days
    facts: set[str] = set()
    for number in range(pages):
        cursor = f"c{number}" if number else ""
        last = number == pages - 1
        shows = showing(messages[number::pages], thread="", since=0)
        more = {"cursor": cursor, "next_cursor": "" if last else f"c{number + 1}", "has_more": not last}
        facts.update(page_facts("C1", "", **more, shows=shows))  # type: ignore[arg-type]
    found = proof(facts, "C1")
    assert found is not None
    assert dict(found.days) == whole
    assert sum(tally.messages for tally in whole.values()) == len(messages)


@given(MESSAGES.filter(bool), st.data())
def test_a_reading_that_lacks_a_message_or_has_another_has_another_tally(
    messages: list[Any], data: st.DataObject
) -> None:
    gone = data.draw(st.sampled_from(messages))
    rest = [one for one in messages if one != gone]
    other = [*rest, {"ts": "1600000000.000001"}]
    whole = showing(messages, thread="", since=0).days
    assert whole != showing(rest, thread="", since=0).days
    assert whole != showing(other, thread="", since=0).days


def test_a_broadcast_reply_is_counted_in_history_and_not_in_its_thread() -> None:
    parent, reply, loud = "1700000000.000100", "1700000001.000100", "1700000002.000100"
    thread = [
        {"ts": parent, "thread_ts": parent, "reply_count": 2, "latest_reply": loud},
        {"ts": reply, "thread_ts": parent},
        {"ts": loud, "thread_ts": parent, "subtype": "thread_broadcast"},
    ]
    lane, history = showing(thread, thread=parent, since=0), showing(thread, thread="", since=0)
    assert [tally.messages for tally in lane.days.values()] == [1]
    assert [tally.messages for tally in history.days.values()] == [2]
    assert lane.threads == history.threads == {parent: Thread(2, loud)}


@given(
    st.lists(
        st.dictionaries(st.sampled_from(["ts", "thread_ts", "reply_count"]), st.integers() | st.text()) | st.none()
    )
)
def test_nothing_that_a_page_holds_stops_the_counting(raw: list[Any]) -> None:
    showing(raw, thread="", since=0)


def test_messages_that_will_not_be_read_again_are_not_counted() -> None:
    old, new = "1700000000.000100", "1800000000.000100"
    shown = showing([{"ts": old}, {"ts": new}], thread="", since=1_750_000_000_000_000)
    assert list(shown.days.values()) == [Tally(1, showing([{"ts": new}], thread="", since=0).days[20833].mark)]

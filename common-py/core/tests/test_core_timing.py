import asyncio
import io
import json
import logging
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any

import pytest
from common_core import log_manager
from common_core.timing import Took, timed
from prometheus_client import CollectorRegistry, Histogram


class Clock:
    """Moves only when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def ended(said: list[Took]) -> list[tuple[str, float, str, str]]:
    return [(took.what, took.seconds, took.outcome, took.failure) for took in said]


def test_a_block_is_told_with_its_seconds(clock: Clock) -> None:
    said: list[Took] = []
    with timed("read", said.append, clock=clock) as took:
        assert took.outcome == "running"
        clock.now += 2.5
    assert ended(said) == [("read", 2.5, "ok", "")]
    assert took is said[0]


def test_a_failure_is_told_too_and_comes_through(clock: Clock) -> None:
    said: list[Took] = []
    with pytest.raises(KeyError), timed("read", said.append, clock=clock):
        {}["what a customer wrote"]
    assert ended(said) == [("read", 0.0, "failed", "KeyError")]


def test_one_timer_runs_inside_itself(clock: Clock) -> None:
    said: list[Took] = []
    stage = timed("walk", said.append, clock=clock)
    with stage:
        clock.now += 1
        with stage, suppress(ValueError), stage:
            clock.now += 2
            raise ValueError
        clock.now += 4
    with stage:
        clock.now += 8
    assert [(took.seconds, took.outcome) for took in said] == [(2, "failed"), (2, "ok"), (7, "ok"), (8, "ok")]


def test_different_timers_nest_and_may_overlap(clock: Clock) -> None:
    said: list[Took] = []
    one, other = timed("one", said.append, clock=clock), timed("other", said.append, clock=clock)
    one.__enter__()
    clock.now += 1
    other.__enter__()
    clock.now += 2
    one.__exit__(None, None, None)
    clock.now += 4
    other.__exit__(None, None, None)
    assert ended(said) == [("one", 3, "ok", ""), ("other", 6, "ok", "")]


def test_tasks_share_a_timer_without_mixing(clock: Clock) -> None:
    said: list[Took] = []
    stage = timed("fetch", said.append, clock=clock)

    async def fetch(steps: int) -> None:
        async with stage:
            for _ in range(steps):
                await asyncio.sleep(0)

    async def tick() -> None:
        for _ in range(6):
            clock.now += 1
            await asyncio.sleep(0)

    async def all_at_once() -> None:
        await asyncio.gather(tick(), fetch(1), fetch(5), fetch(3))

    asyncio.run(all_at_once())
    assert [took.seconds for took in said] == [1, 3, 5]


def test_threads_share_a_timer_without_mixing() -> None:
    said: list[Took] = []
    at = {"a": 0.0, "b": 0.0}
    stage = timed("x", said.append, clock=lambda: at[threading.current_thread().name])
    both = threading.Barrier(2, timeout=10)

    def work(name: str, seconds: float) -> None:
        with stage:
            both.wait()
            at[name] += seconds
            both.wait()

    threads = [threading.Thread(target=work, args=pair, name=pair[0]) for pair in [("a", 1.0), ("b", 5.0)]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(took.seconds for took in said) == [1.0, 5.0]


def test_what_is_left_elsewhere_than_it_was_entered_says_so(clock: Clock) -> None:
    stage = timed("x", clock=clock)
    thread = threading.Thread(target=stage.__enter__)
    thread.start()
    thread.join()
    with pytest.raises(RuntimeError, match="x was entered in another thread"):
        stage.__exit__(None, None, None)


def test_a_function_keeps_its_name_and_its_answer(clock: Clock) -> None:
    said: list[Took] = []

    @timed("add", said.append, clock=clock)
    def add(one: int, *, other: int) -> int:
        """Adds."""
        clock.now += 1
        return one + other

    assert (add(1, other=2), add.__name__, add.__doc__) == (3, "add", "Adds.")
    with pytest.raises(TypeError):
        add(1, other="")  # type: ignore[arg-type]
    assert [(took.seconds, took.outcome) for took in said] == [(1, "ok"), (1, "failed")]


def test_recursion_is_measured_level_by_level(clock: Clock) -> None:
    said: list[Took] = []

    @timed("down", said.append, clock=clock)
    def down(levels: int) -> None:
        clock.now += 1
        if levels:
            down(levels - 1)

    down(2)
    assert [took.seconds for took in said] == [1, 2, 3]


def test_a_coroutine_is_measured_until_it_is_done_or_cancelled(clock: Clock) -> None:
    said: list[Took] = []

    @timed("wait", said.append, clock=clock)
    async def wait(release: asyncio.Event) -> str:
        await release.wait()
        return "done"

    async def story() -> str:
        release = asyncio.Event()
        good, gone = asyncio.create_task(wait(release)), asyncio.create_task(wait(release))
        await asyncio.sleep(0)
        clock.now += 3
        gone.cancel()
        with suppress(asyncio.CancelledError):
            await gone
        release.set()
        return await good

    assert asyncio.run(story()) == "done"
    assert ended(said) == [("wait", 3, "cancelled", "CancelledError"), ("wait", 3, "ok", "")]


def test_a_generator_is_measured_from_its_first_step_to_its_end(clock: Clock) -> None:
    said: list[Took] = []

    @timed("pages", said.append, clock=clock)
    def pages() -> Iterator[Any]:
        clock.now += 1
        got = yield "first"
        clock.now += 1
        yield got
        return "end"

    generator: Any = pages()
    clock.now += 50
    assert (next(generator), generator.send("sent")) == ("first", "sent")
    with pytest.raises(StopIteration) as stop:
        next(generator)
    abandoned = iter(pages())
    next(abandoned)
    abandoned.close()  # type: ignore[attr-defined]
    assert stop.value.value == "end"
    assert ended(said) == [("pages", 2, "ok", ""), ("pages", 1, "cancelled", "GeneratorExit")]


def test_an_asynchronous_generator_is_measured_too(clock: Clock) -> None:
    said: list[Took] = []

    @timed("pages", said.append, clock=clock)
    async def pages(last: int) -> AsyncIterator[int]:
        for page in range(last):
            clock.now += 1
            yield page
        if last > 2:
            raise LookupError

    async def read(last: int) -> list[int]:
        return [page async for page in pages(last)]

    assert asyncio.run(read(2)) == [0, 1]
    with pytest.raises(LookupError):
        asyncio.run(read(3))
    assert ended(said) == [("pages", 2, "ok", ""), ("pages", 3, "failed", "LookupError")]


def test_a_method_is_measured_as_a_function_is(clock: Clock) -> None:
    said: list[Took] = []

    class Reader:
        @timed("read", said.append, clock=clock)
        def read(self) -> "Reader":
            return self

    reader = Reader()
    assert reader.read() is reader
    assert len(said) == 1


def test_a_histogram_observes_every_outcome(clock: Clock) -> None:
    registry = CollectorRegistry()
    histogram = Histogram("took_seconds", "How long", ["outcome"], registry=registry)
    stage = timed("x", histogram, clock=clock, outcome_label="outcome")
    with stage:
        clock.now += 2
    with suppress(ValueError), stage:
        raise ValueError
    sums = [registry.get_sample_value("took_seconds_sum", {"outcome": outcome}) for outcome in ("ok", "failed")]
    counts = [registry.get_sample_value("took_seconds_count", {"outcome": outcome}) for outcome in ("ok", "failed")]
    assert (sums, counts) == ([2.0, 0.0], [1.0, 1.0])


def test_a_histogram_without_labels_takes_all_into_one(clock: Clock) -> None:
    registry = CollectorRegistry()
    with suppress(ValueError), timed("x", Histogram("all_seconds", "How long", registry=registry), clock=clock):
        clock.now += 2
        raise ValueError
    assert registry.get_sample_value("all_seconds_sum") == 2.0


def test_a_logger_gets_one_record_with_fields_and_without_words(restored_root_logger: None, clock: Clock) -> None:
    stream = io.StringIO()
    log_manager.setup(stream=stream, level="DEBUG")
    with suppress(ValueError), timed("drain", logging.getLogger("stages"), clock=clock, level=logging.DEBUG):
        clock.now += 0.12345678
        raise ValueError("what a customer wrote")
    line = json.loads(stream.getvalue())
    del line["time"]
    assert line == {
        "level": "DEBUG",
        "logger": "stages",
        "event": "timed",
        "what": "drain",
        "seconds": 0.123457,
        "outcome": "failed",
        "failure": "ValueError",
    }


def test_every_sink_is_told(clock: Clock) -> None:
    first: list[Took] = []
    second: list[Took] = []
    with timed("x", first.append, second.append, clock=clock):
        pass
    assert len(first) == len(second) == 1


def test_what_is_no_sink_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match="int is no logger"):
        timed("x", 5)  # type: ignore[arg-type]


def test_the_real_clock_does_not_go_back() -> None:
    with timed("x") as took:
        pass
    assert 0 <= took.seconds < 1

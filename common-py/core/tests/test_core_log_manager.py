import asyncio
import io
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

import pytest
from common_core import log_manager
from common_core.log_manager import bind, carried, setup
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr

log = logging.getLogger("tests.gate")
CANARY = "kanarienvogel"


@pytest.fixture
def lines(restored_root_logger: None) -> Callable[[], list[dict[str, Any]]]:
    stream = io.StringIO()
    setup(stream=stream)
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


Lines = Callable[[], list[dict[str, Any]]]


def test_a_record_is_one_json_line_with_its_context(lines: Lines) -> None:
    with bind(run_id="r1", shard=3):
        log.info("page of %d taken", 7, extra={"count": 2, "kinds": {"user"}})
    (line,) = lines()
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "INFO",
        "logger": "tests.gate",
        "event": "page of 7 taken",
        "run_id": "r1",
        "shard": 3,
        "count": 2,
        "kinds": ["user"],
    }


def log_and_fail() -> None:
    log.info("inside")
    raise RuntimeError


def test_context_nests_and_ends_even_after_an_error(lines: Lines) -> None:
    with pytest.raises(RuntimeError), bind(a=1), bind(b=2):
        log_and_fail()
    log.info("outside")
    inside, outside = lines()
    assert (inside["a"], inside["b"]) == (1, 2)
    assert "a" not in outside


def test_tasks_do_not_see_each_others_context(lines: Lines) -> None:
    async def work(name: str) -> None:
        with bind(task=name):
            await asyncio.sleep(0)
            log.info(name)

    async def both() -> None:
        await asyncio.gather(work("one"), work("two"))

    asyncio.run(both())
    assert all(line["task"] == line["event"] for line in lines())
    assert len(lines()) == 2


def test_a_task_and_a_thread_of_asyncio_inherit_the_context_and_keep_their_own(lines: Lines) -> None:
    async def inner() -> None:
        with bind(inner=True):
            await asyncio.to_thread(log.info, "in a thread")

    async def outer() -> None:
        with bind(run_id="r1"):
            await asyncio.create_task(inner())
            log.info("after")

    asyncio.run(outer())
    in_thread, after = lines()
    assert (in_thread["run_id"], in_thread["inner"]) == ("r1", True)
    assert (after["run_id"], "inner" in after) == ("r1", False)


def test_a_thread_has_the_context_that_it_was_handed_and_no_other(lines: Lines) -> None:
    both = threading.Barrier(2, timeout=10)

    def work(name: str) -> None:
        both.wait()  # at once, in one context that was carried twice
        log.info(name)

    with ThreadPoolExecutor(3) as pool:
        with bind(run_id="r1"):
            handed = carried(work)
            pool.submit(log.info, "bare").result()
        list(pool.map(handed, ["one", "two"]))
        log.info("outside")
    assert {line["event"]: line.get("run_id") for line in lines()} == {
        "bare": None,
        "one": "r1",
        "two": "r1",
        "outside": None,
    }


def test_a_generator_that_another_context_closes_ends_quietly() -> None:
    def bound_inside() -> Iterator[int]:
        with bind(a=1):
            yield 1

    generator = bound_inside()
    carried(next)(generator)
    generator.close()  # type: ignore[attr-defined]
    assert "a" not in log_manager.bound()


@pytest.mark.parametrize(
    "key",
    [
        "secret",
        "api_token",
        "Authorization",
        "password",
        "SIGNING_KEY",
        "sourceText",
        "text",
        "runTokens",
        "APIKey",
        "kwargs",
    ],
)
def test_a_value_is_redacted_by_its_key_at_any_depth(lines: Lines, key: str) -> None:
    log.info("x", extra={key: CANARY, "inner": [{key: {"deep": CANARY}}], "model": {"a": {key: 5}}})
    template = f"%({key})s"
    with bind(**{key: CANARY}):
        log.info(template, {key: CANARY})
    first, second = lines()
    assert CANARY not in json.dumps([first, second])
    assert first["inner"] == [{key: "[redacted]"}]
    assert first["model"]["a"][key] == "[redacted]"
    assert second["event"] == "[redacted]"


@pytest.mark.parametrize("key", ["keyboard", "context", "monkey", "receipt", "textile", "author"])
def test_a_word_that_only_looks_like_one_is_not_redacted(lines: Lines, key: str) -> None:
    log.info("x", extra={key: "kept"})
    assert lines()[0][key] == "kept"


def test_a_service_forbids_words_of_its_own(restored_root_logger: None) -> None:
    stream = io.StringIO()
    setup(stream=stream, forbidden=["Topic"])
    log.info("x", extra={"channel_topic": CANARY})
    assert CANARY not in stream.getvalue()


@pytest.mark.parametrize("text", ["Bearer abc.def-123456", "bearer  eyJhbGciOi", "eyJhbGciOi.eyJzdWIiOi.c2ln"])
def test_a_credential_inside_a_message_is_redacted(lines: Lines, text: str) -> None:
    whole = f"sent {text}"
    log.info(whole)
    log.info("sent %s", text, extra={"header": text})
    for line in lines():
        assert text.split()[-1] not in json.dumps(line)


class Model(BaseModel):
    count: int


def broken_json() -> None:
    json.loads('{"text": "' + CANARY)


def broken_model() -> None:
    Model.model_validate({"count": CANARY})


def missing_key() -> None:
    {}[CANARY]  # type: ignore[index]


def caused() -> None:
    try:
        broken_json()
    except ValueError as error:
        raise RuntimeError(CANARY) from error


def grouped() -> None:
    raise ExceptionGroup(CANARY, [ValueError(CANARY), ExceptionGroup(CANARY, [KeyError(CANARY)])])


def undecodable() -> None:
    (CANARY.encode() + b"\xff").decode()


def noted() -> None:
    error = ValueError()
    error.add_note(CANARY)
    raise error


@pytest.mark.parametrize("fail", [broken_json, broken_model, missing_key, caused, grouped, undecodable, noted])
@pytest.mark.parametrize("fmt", ["json", "console"])
def test_an_exception_is_its_types_and_places_without_what_it_says(
    fail: Callable[[], None], fmt: Any, restored_root_logger: None
) -> None:
    stream = io.StringIO()
    setup(fmt=fmt, stream=stream)
    try:
        fail()
    except Exception as error:
        log.exception("failed: %s", error, extra={"cause": error})
        log.error(error)
    logged = stream.getvalue()
    assert CANARY not in logged
    assert "test_core_log_manager.py:" in logged
    assert fail.__name__ in logged


def test_the_chain_of_causes_is_kept_outermost_first(lines: Lines) -> None:
    try:
        caused()
    except RuntimeError:
        log.exception("failed")
    outer, inner = lines()[0]["error"]
    assert (outer["type"], inner["type"]) == ("RuntimeError", "json.decoder.JSONDecodeError")
    assert outer["at"][-1].endswith(" caused")
    assert any(place.endswith(" broken_json") for place in inner["at"])
    assert not any(place.startswith("/") for place in outer["at"])


def test_an_exception_that_may_speak_does(restored_root_logger: None) -> None:
    stream = io.StringIO()
    setup(stream=stream, speaking=(OSError,))
    try:
        raise ConnectionRefusedError(111, "refused")
    except OSError as error:
        log.exception("no store: %s", error)
    line = json.loads(stream.getvalue())
    assert line["event"] == "no store: [Errno 111] refused"
    assert line["error"][0]["says"] == "[Errno 111] refused"


class Chatty:
    def __repr__(self) -> str:
        return CANARY


def test_an_object_is_its_type_and_a_secret_stays_one(lines: Lines) -> None:
    log.info("got %s and %r", Chatty(), [Chatty()], extra={"thing": Chatty(), "value": SecretStr(CANARY)})
    log.info(Chatty())
    assert CANARY not in json.dumps(lines())
    assert "Chatty" in lines()[0]["thing"]


def test_bytes_are_counted_and_not_shown(lines: Lines) -> None:
    log.info("body %s", CANARY.encode(), extra={"raw": [CANARY.encode()]})
    (line,) = lines()
    assert (line["event"], line["raw"]) == ("body <13 bytes>", ["<13 bytes>"])


def test_celerys_ready_made_tracebacks_are_not_passed_on(lines: Lines) -> None:
    log.error("Task %(name)s: %(exc)s\n%(traceback)s", {"name": "drain", "exc": CANARY, "traceback": CANARY})
    assert lines()[0]["event"] == "Task drain: [redacted]\n[redacted]"


def test_a_wrong_template_is_logged_and_nothing_is_raised(
    restored_root_logger: None, capsys: pytest.CaptureFixture[str]
) -> None:
    stream = io.StringIO()
    setup(stream=stream)
    log.info("%d things", "many")
    assert json.loads(stream.getvalue())["event"] == "%d things"
    assert capsys.readouterr().err == ""


def test_a_record_that_cannot_be_written_is_named_without_its_content(
    restored_root_logger: None, capsys: pytest.CaptureFixture[str]
) -> None:
    stream = io.StringIO()
    setup(stream=stream)
    stream.close()
    log.info("lost %s", CANARY)
    err = capsys.readouterr().err
    assert "tests.gate was not written: ValueError" in err
    assert CANARY not in err


def test_the_console_lets_no_value_forge_a_line(restored_root_logger: None) -> None:
    stream = io.StringIO()
    setup(fmt="console", stream=stream)
    log.info("a\nb", extra={"value": "c\r\n2024 ERROR forged\x1b[31m \ud800"})
    assert stream.getvalue().count("\n") == 1
    assert "\x1b" not in stream.getvalue()
    stream.getvalue().encode("utf-8")


def test_fields_never_replace_the_records_own(lines: Lines) -> None:
    log.info("real", extra={"event": "forged", "level": "forged", "error": 1, "time": 2})
    (line,) = lines()
    assert (line["event"], line["level"], line["event_"], line["error_"]) == ("real", "INFO", "forged", 1)


def test_setup_replaces_what_was_set_up_before_and_adopts_loggers(restored_root_logger: None) -> None:
    first, second = io.StringIO(), io.StringIO()
    foreign = logging.getLogger("tests.foreign")
    foreign.addHandler(logging.StreamHandler(first))
    foreign.propagate = False
    setup(stream=first)
    setup(stream=second, level=logging.WARNING, adopt=["tests.foreign"])
    foreign.warning("once")
    foreign.info("below the level")
    assert (first.getvalue(), second.getvalue().count("\n")) == ("", 1)


@pytest.mark.parametrize("wrong", [{"fmt": "xml"}, {"level": "LOUD"}])
def test_a_wrong_setting_is_an_error(wrong: dict[str, Any], restored_root_logger: None) -> None:
    with pytest.raises(ValueError, match=r"one of|LOUD"):
        setup(**wrong)


def while_handling(hidden: bool) -> None:
    try:
        broken_json()
    except ValueError:
        if hidden:
            raise RuntimeError from None
        raise RuntimeError  # noqa: B904 - what was being handled is what the test is about


@pytest.mark.parametrize(("hidden", "links"), [(False, 2), (True, 1)])
def test_what_was_being_handled_is_part_of_the_chain_unless_it_was_suppressed(hidden: bool, links: int) -> None:
    with pytest.raises(RuntimeError) as caught:
        while_handling(hidden)
    assert len(log_manager.described(caught.value)) == links


def member(levels: int) -> Exception:
    try:
        caused()
    except RuntimeError as error:
        found: Exception = error
    for _ in range(levels):
        found = ExceptionGroup(CANARY, [found, OSError()])
    return found


def test_a_group_is_described_with_its_members_and_their_causes(restored_root_logger: None) -> None:
    (group,) = log_manager.described(member(1))
    assert [[link["type"] for link in chain] for chain in group["members"]] == [
        ["RuntimeError", "json.decoder.JSONDecodeError"],
        ["OSError"],
    ]
    assert any(place.endswith(" broken_json") for place in group["members"][0][1]["at"])
    stream = io.StringIO()
    setup(fmt="console", stream=stream)
    log.error("failed", exc_info=member(2))
    assert "  |   | json.decoder.JSONDecodeError" in stream.getvalue()


def test_a_tree_of_exceptions_is_cut_where_it_grows_too_large(lines: Lines) -> None:
    tree: Exception = ValueError()
    for _ in range(50):
        tree = ExceptionGroup("", [tree, *[ValueError() for _ in range(50)]])
    log.error("failed", exc_info=tree)
    assert json.dumps(lines()).count('"type"') == 16


PROGRAM = """
import sys, threading
from common_core import log_manager
log_manager.setup()
def fail():
    raise KeyError({canary!r})
if "thread" in sys.argv:
    thread = threading.Thread(target=fail, name="renewal")
    thread.start()
    thread.join()
elif "interrupt" in sys.argv:
    raise KeyboardInterrupt
else:
    fail()
"""


def run(how: str) -> tuple[int, str]:
    program = PROGRAM.format(canary=CANARY)
    done = subprocess.run([sys.executable, "-c", program, how], capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


@pytest.mark.parametrize(("how", "code", "event"), [("program", 1, "uncaught"), ("thread", 0, "uncaught in a thread")])
def test_what_nobody_caught_is_one_record_without_what_it_says(how: str, code: int, event: str) -> None:
    returned, err = run(how)
    line = json.loads(err)
    assert (returned, line["level"], line["event"]) == (code, "CRITICAL", event)
    assert (line["error"][0]["type"], line.get("thread_name", "renewal")) == ("KeyError", "renewal")
    assert CANARY not in err


def test_an_interrupted_program_says_nothing() -> None:
    assert run("interrupt")[1] == ""


def test_what_asyncio_says_of_a_task_does_not_quote_what_it_raised(lines: Lines) -> None:
    async def fail() -> None:
        raise KeyError(CANARY)

    async def story() -> None:
        task = asyncio.create_task(fail())
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_exception_handler(
            {"message": "Task exception was never retrieved", "task": task, "exception": task.exception()}
        )

    asyncio.run(story())
    (line,) = lines()
    assert (line["event"], line["error"][0]["type"]) == ("Task exception was never retrieved", "KeyError")
    assert CANARY not in json.dumps(line)


class Colour(Enum):
    RED = "red"


@dataclass
class Point:
    x: int
    token: str = CANARY


@pytest.mark.parametrize(
    ("value", "logged"),
    [
        (Colour.RED, "red"),
        (datetime(2024, 2, 29, tzinfo=UTC), "2024-02-29T00:00:00+00:00"),
        (Decimal("1.10"), "1.10"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (PurePosixPath("a/b"), "a/b"),
        ({"b", "a"}, ["a", "b"]),
        (Point(1), {"x": 1, "token": "[redacted]"}),
        (Model(count=1), {"count": 1}),
        (float("inf"), "inf"),
        ([10**5000], ["<16610 bits>"]),
        (int, "<type>"),
    ],
)
def test_a_value_of_a_known_type_is_logged_as_what_it_is(lines: Lines, value: Any, logged: Any) -> None:
    log.info("x", extra={"value": value})
    assert lines()[0]["value"] == logged


def test_a_cycle_of_exceptions_ends() -> None:
    one, two = ValueError(), ValueError()
    one.__cause__, two.__cause__ = two, one
    assert len(log_manager.described(one)) == 2


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)) | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
    max_leaves=8,
)
names = st.text("abcxyz_", min_size=1, max_size=8).map(lambda name: "x_" + name)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(codec=None)), st.lists(anything, max_size=3), st.dictionaries(names, anything, max_size=3))
@pytest.mark.parametrize("fmt", ["json", "console"])
def test_whatever_is_logged_is_one_line_and_never_raises(
    restored_root_logger: None, fmt: Any, message: str, args: list[Any], extra: dict[str, Any]
) -> None:
    stream = io.StringIO()
    setup(fmt=fmt, stream=stream)
    log.info(message, *args, extra=extra)
    assert stream.getvalue().count("\n") == 1
    if fmt == "json":
        json.loads(stream.getvalue(), parse_constant=pytest.fail)

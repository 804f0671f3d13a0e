import asyncio
import io
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from common_core import log_manager
from common_core.log_manager import bind, setup
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
    raise ExceptionGroup(CANARY, [ValueError(CANARY)])


@pytest.mark.parametrize("fail", [broken_json, broken_model, missing_key, caused, grouped])
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

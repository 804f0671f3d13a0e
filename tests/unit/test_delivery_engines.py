"""A company's own mesh: `module:factory`, of which only `create_session` and `send_all_models` are asked."""

import logging
import sys
import types
from collections.abc import Iterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import common_mesh
import pytest
from common_mesh.testing import FakeMesh

from pipeline.delivery import Delivery, Engine, WrongEngineError, load_engine
from pipeline.errors import Refused, Unavailable
from pipeline.models import User
from settings import SettingsError
from workers import lifecycle

PEOPLE = [User(id=f"T1:U{number}", version="0" * 32, kind="org", team="T1") for number in range(3)]


class Ours:
    """A sample adapter: keeps what it is sent and answers what it is told to."""

    def __init__(self, answer: Any = None) -> None:
        self.answer, self.sent = answer, []

    def create_session(self, org: str, module: str, model: str) -> "Ours":
        self.sent.append((org, module, model))
        return self

    def send_all_models(self, models: Any) -> Any:
        self.sent += [model.id for model in models]
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def company() -> Iterator[types.ModuleType]:
    """A module of the company's, importable as `company_mesh`."""
    module = types.ModuleType("company_mesh")
    sys.modules["company_mesh"] = module
    yield module
    del sys.modules["company_mesh"]


def answering(company: types.ModuleType, answer: Any) -> Delivery:
    company.make = lambda: Ours(answer)  # type: ignore[attr-defined]
    return Delivery(load_engine("company_mesh:make", None, None))


def test_an_adapter_needs_only_the_two_methods_and_none_says_that_all_was_accepted(company: Any) -> None:
    engine = Ours()
    company.make = lambda: engine
    assert Delivery(load_engine("company_mesh:make", None, None)).send("acme", "user", PEOPLE) == {}
    assert engine.sent == [("acme", "slack", "user"), "T1:U0", "T1:U1", "T1:U2"]


def test_a_class_is_a_factory_too(company: Any) -> None:
    company.Ours = Ours
    assert Delivery(load_engine("company_mesh:Ours", None, None)).send("acme", "user", PEOPLE) == {}


def test_what_a_report_rejects_is_told_by_its_place(company: Any) -> None:
    report = SimpleNamespace(rejected=[SimpleNamespace(index=1, id="T1:U1", reason="no_such_person")])
    assert answering(company, report).send("acme", "user", PEOPLE) == {1: "no_such_person"}


@pytest.mark.parametrize("reason", ["bad text: to Rob", "Secret", "", "x" * 49, 7, None])
def test_a_reason_that_could_quote_a_record_is_only_another_one(company: Any, reason: Any) -> None:
    report = SimpleNamespace(rejected=[SimpleNamespace(index=0, id="T1:U1", reason=reason)])
    assert answering(company, report).send("acme", "user", PEOPLE) == {0: "other"}


@pytest.mark.parametrize(
    "report",
    [True, {}, SimpleNamespace(rejected=3), *(SimpleNamespace(rejected=[rejection]) for rejection in ("x", (1, "x")))],
)
def test_what_is_no_report_is_neither_a_yes_nor_an_outage(company: Any, report: Any) -> None:
    with pytest.raises(Refused, match="no report"):
        answering(company, report).send("acme", "user", PEOPLE)


@pytest.mark.parametrize("index", [3, -1, True, "1"])
def test_a_rejection_of_what_was_not_sent_buries_nothing(company: Any, index: Any) -> None:
    with pytest.raises(Refused, match="not sent"):
        answering(company, SimpleNamespace(rejected=[SimpleNamespace(index=index, reason="x")])).send(
            "a", "user", PEOPLE
        )


@pytest.mark.parametrize(("failure", "outcome"), [(None, "ok"), (RuntimeError("of Rob: secret"), "failed")])
def test_how_long_the_mesh_took_is_told_to_whoever_debugs(
    company: Any, failure: Exception | None, outcome: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG"), suppress(Unavailable):
        answering(company, failure).send("acme", "user", PEOPLE)
    [told] = [vars(record) for record in caplog.records if record.message == "timed"]
    assert (told["what"], told["outcome"]) == ("mesh.send", outcome)
    assert told["seconds"] >= 0
    assert "Rob" not in str(told)


@pytest.mark.parametrize("error", [RuntimeError("of Rob: secret"), OSError("x"), ValueError("x"), KeyError("x")])
def test_whatever_its_sending_raises_is_an_outage_and_the_log_names_only_its_type(
    company: Any, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING), pytest.raises(Unavailable, match="engine failed"):
        answering(company, error).send("acme", "user", PEOPLE)
    assert [record.__dict__["kind"] for record in caplog.records] == [type(error).__name__]
    assert "Rob" not in caplog.text


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (common_mesh.Unavailable("down", retry_after=7.0), Unavailable),
        (common_mesh.Refused("401"), Refused),
        (common_mesh.ProtocolError("html"), Unavailable),
    ],
)
def test_an_adapter_may_raise_the_librarys_errors(company: Any, error: Exception, kind: type[Unavailable]) -> None:
    with pytest.raises(kind) as caught:
        answering(company, error).send("acme", "user", PEOPLE)
    assert type(caught.value) is kind
    assert caught.value.retry_after == getattr(error, "retry_after", None)


def test_an_organisation_that_an_adapter_can_never_have_ends_in_the_dead_letters(company: Any) -> None:
    class Picky(Ours):
        def create_session(self, org: str, module: str, model: str) -> Ours:
            raise ValueError(org)

    company.make = Picky
    assert set(Delivery(load_engine("company_mesh:make", None, None)).send("a", "user", PEOPLE)) == {0, 1, 2}


def _raises() -> None:
    raise RuntimeError("postgres://user:secret@host")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("company_mesh", "form module:factory"),
        (":make", "form module:factory"),
        ("no_such_company.mesh:make", "no such module"),
        ("company_mesh:nothing", "has nothing of that name"),
        ("company_mesh:number", "a int there, which cannot be called"),
        ("company_mesh:wants", "without arguments: it raises a TypeError"),
        ("company_mesh:raises", "without arguments: it raises a RuntimeError"),
        ("company_mesh:nobody", "makes a NoneType, which has no create_session"),
        ("company_mesh:kind", "makes the class Ours itself"),
    ],
)
def test_a_wrong_engine_is_said_in_a_sentence_without_a_secret(company: Any, name: str, said: str) -> None:
    company.number, company.nobody, company.raises, company.kind = 3, lambda: None, _raises, lambda: Ours
    company.wants = lambda address: Ours()
    with pytest.raises(WrongEngineError, match=said) as caught:
        load_engine(name, None, None)
    assert "secret" not in str(caught.value)
    assert str(caught.value).endswith(".")


def test_a_module_that_fails_while_it_is_imported_is_told_from_one_that_is_missing(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_mesh.py").write_text("1 / 0\n")
    (tmp_path / "poor_mesh.py").write_text("import a_library_of_theirs\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(WrongEngineError, match="the module raises ZeroDivisionError"):
        load_engine("broken_mesh:make", None, None)
    with pytest.raises(WrongEngineError, match="it needs 'a_library_of_theirs'"):
        load_engine("poor_mesh:make", None, None)


def test_a_worker_that_starts_with_a_wrong_engine_names_the_setting() -> None:
    settings = SimpleNamespace(
        mesh_token=SimpleNamespace(get_secret_value=lambda: ""), mesh_engine="no_such_company:make", mesh_url=""
    )
    with pytest.raises(SettingsError, match=r"^SLUICE_MESH_ENGINE: 'no_such_company:make' cannot be imported"):
        lifecycle._engine(settings)  # type: ignore[arg-type]


def test_without_one_the_engine_speaks_the_protocol() -> None:
    engine: Engine = load_engine(None, "http://mesh.invalid", None)
    assert isinstance(engine, common_mesh.MeshEngine)
    engine.close()
    with common_mesh.MeshEngine("http://mesh.invalid", transport=FakeMesh()) as fake:
        assert Delivery(fake).send("acme", "user", PEOPLE) == {}


def test_shadow_sends_nothing_and_asks_nobody() -> None:
    engine = Ours()
    assert Delivery(engine, shadow=True).send("acme", "user", PEOPLE) == {}
    assert engine.sent == []

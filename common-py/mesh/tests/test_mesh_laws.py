"""Laws of the small parts, and PROTOCOL.md held to the code."""

import re
from pathlib import Path
from typing import Any

import pytest
from common_mesh import MeshEngine, Policy, Rejection, Report, encoding, wire
from common_mesh.batches import Limits, cut
from common_mesh.retry import RETRIED
from common_mesh.testing import FakeMesh
from hypothesis import given
from hypothesis import strategies as st
from mesh_samples import Note, note, version

HERE = Path(__file__).parent.parent
PROTOCOL = (HERE / "PROTOCOL.md").read_text("utf-8")


@given(st.lists(st.integers(0, 400), max_size=60), st.integers(1, 9), st.integers(1, 2_000))
def test_cutting_loses_repeats_and_reorders_nothing_and_keeps_its_limits(
    sizes: list[int], records: int, size: int
) -> None:
    models = [Note(id=f"n{n}", version=version(1), text="x" * length) for n, length in enumerate(sizes)]
    batches = list(cut(models, Limits(records, size), Report()))
    assert [entry.id for batch in batches for entry in batch.entries] == [model.id for model in models]
    assert all(len(batch.entries) <= records for batch in batches)
    assert all(len(batch.body) <= size or len(batch.entries) == 1 for batch in batches)
    assert [batch.last for batch in batches] == [False] * (len(batches) - 1) + [True] * bool(batches)


@given(st.integers(2, 50))
def test_halves_are_the_whole_in_order(count: int) -> None:
    (batch,) = cut([note(n) for n in range(count)], Limits(100, 10**9), Report())
    first, second = batch.halves()
    assert first.entries + second.entries == batch.entries
    assert first.entries
    assert second.entries


@given(st.binary(max_size=5_000), st.sampled_from(encoding.CODINGS))
def test_what_is_compressed_inflates_to_itself_and_never_beyond_the_limit(body: bytes, coding: encoding.Coding) -> None:
    packed = encoding.compress(body, coding)
    assert encoding.inflate(packed, coding, len(body)) == body
    if body:
        with pytest.raises(encoding.TooLarge):
            encoding.inflate(packed, coding, len(body) - 1)


@given(st.binary(min_size=1, max_size=2_000), st.sampled_from(["zstd", "gzip"]), st.data())
def test_a_truncated_body_is_never_taken_for_a_whole_one(
    body: bytes, coding: encoding.Coding, data: st.DataObject
) -> None:
    packed = encoding.compress(body, coding)
    cut_at = data.draw(st.integers(0, len(packed) - 1))
    with pytest.raises(encoding.Broken):
        encoding.inflate(packed[:cut_at], coding, 10_000)


@given(st.text("cuns", max_size=30), st.sets(st.integers(0, 29)))
def test_an_answer_reads_as_it_was_written(outcomes: str, places: set[int]) -> None:
    letters = "".join("r" if n in places else letter for n, letter in enumerate(outcomes))
    rejected = [Rejection(n, f"n{n}", "bad_text") for n, letter in enumerate(letters) if letter == "r"]
    assert wire.read_answer(wire.answer(letters, rejected), len(letters)) == (letters, rejected)


@pytest.mark.parametrize("name", ["max_records", "max_bytes", "in_flight", "deadline", "attempts", "max_answer_bytes"])
def test_a_policy_without_room_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        Policy(**{name: 0})


def test_the_protocol_names_every_reason_letter_and_status_that_the_code_knows() -> None:
    source = "".join(path.read_text("utf-8") for path in (HERE / "src" / "common_mesh" / "reference").glob("*.py"))
    reasons = set(re.findall(r'Bad\("(\w+)"', source)) | {"unserialisable", "too_large"}
    assert len(reasons) >= 13
    assert all(f"`{reason}`" in PROTOCOL for reason in reasons)
    assert all(f"| `{letter}` | {outcome} |" in PROTOCOL for outcome, letter in wire.LETTERS.items())
    assert ", ".join(str(status) for status in sorted(RETRIED)) in PROTOCOL


def test_the_library_imports_nothing_of_the_project_it_lives_in() -> None:
    sources = "\n".join(path.read_text("utf-8") for path in (HERE / "src").rglob("*.py"))
    imported = set(re.findall(r"^(?:from|import) (\w+)", sources, re.MULTILINE))
    assert not imported & {"pipeline", "settings", "api", "workers", "simulator", "cli", "common_core"}


def test_every_test_that_the_readme_names_is_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", (HERE / "README.md").read_text("utf-8")))
    tests = "".join(path.read_text("utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    assert len(named) > 15
    assert [name for name in named if f"def {name}(" not in tests] == []


def test_the_examples_of_the_readme_run_as_they_are_written() -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", (HERE / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 3
    fake, waits = FakeMesh(), list[float]()
    known: dict[str, Any] = {"models": [Note(id=f"T1:C1:1.{n}", version=version(n)) for n in (2, 3)]}
    address = 'MeshEngine(base_url="http://data-mesh:8675"'
    with MeshEngine("http://mesh", transport=fake) as engine:
        for block in blocks:
            session = engine.create_session("org", "module", "model")
            known |= {"session": session, "retry_in": waits.append, "outside": fake}
            exec(block.replace(address, f"{address}, transport=outside"), known)
    assert (list(known["fake"].live("org", "slack", "message")), waits) == (["T1:C1:1.3"], [])
    assert sorted(fake.live("org", "module", "model")) == ["T1:C1:1.2", "T1:C1:1.3"]

"""`./sluice mesh check` against the reference mesh, and against meshes that each break one promise."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from common_mesh import MeshEngine, MeshReader, Policy
from common_mesh.testing import FakeMesh
from pydantic import BaseModel

from cli.__main__ import main
from pipeline.errors import Unavailable
from pipeline.mesh_check.check import Outcome, check

RETRACTIONS = {
    "retracts what is there",
    "retracts what comes later",
    "retractions only rise",
    "retracts a window of a lane",
    "retracts a person",
}


class TheirMesh:
    """A company's own mesh, right in everything but what it is told to get wrong; its own engine and reader."""

    def __init__(self, *, wrong: str = "") -> None:
        self.wrong = wrong
        self.rows: dict[tuple[str, str], dict[str, Any]] = {}
        self.fences: list[dict[str, Any]] = []
        self.twice: list[tuple[str, dict[str, Any]]] = []

    def create_session(self, org: str, module: str, model: str) -> "_Session":
        return _Session(self, model)

    def take(self, model: str, row: dict[str, Any]) -> None:
        if model == "retraction":
            self.fence(row)
            return
        key = (model, row["id"])
        before = self.rows.get(key)
        if self.wrong == "text":
            row = {**row, "text": row.get("text", "").strip()}
        if self.wrong == "twice" and before and before["version"] == row["version"]:
            self.twice.append((model, row))
        deleted = before is not None and before["deleted"]
        if self.wrong == "forgets deletions" and deleted:
            before = None
        if before and before["version"] >= row["version"] and self.wrong != "last wins":
            return
        if self.wrong == "no revival" and deleted:
            return
        self.rows[key] = row

    def fence(self, row: dict[str, Any]) -> None:
        if self.wrong == "only what is there":
            for key in [key for key, there in self.rows.items() if key[0] == row["target"] and _covers(row, there)]:
                self.rows[key] |= {"deleted": True}
        elif self.wrong == "windows" and row["after"] is not None:
            self.fences.append({**row, "after": None, "until": None})
        elif self.wrong == "falls":
            self.fences = [fence for fence in self.fences if fence["id"] != row["id"]] + [row]
        elif self.wrong != "ignores retractions":
            self.fences.append(row)

    def records(self, org: str, module: str, model: str) -> Iterable[dict[str, Any]]:
        rows = [row for (name, _), row in sorted(self.rows.items()) if name == model and not row["deleted"]]
        rows += [row for name, row in self.twice if name == model]
        return [row for row in rows if not any(f["target"] == model and _covers(f, row) for f in self.fences)]

    def count(self, org: str, module: str, model: str) -> int:
        return len(list(self.records(org, module, model)))


class _Session:
    def __init__(self, mesh: TheirMesh, model: str) -> None:
        self.mesh, self.model = mesh, model

    def send_all_models(self, models: Iterable[BaseModel]) -> None:
        for model in models:
            self.mesh.take(self.model, model.model_dump())


def _covers(fence: dict[str, Any], row: dict[str, Any]) -> bool:
    at = row.get("ts_us") or 0
    inside = fence["after"] is None or fence["after"] < at <= fence["until"]
    return inside and all(row.get(k) == v for k, v in fence["match"].items()) and row["version"][:16] < fence["below"]


def broken(outcome: Outcome) -> set[str]:
    return {line.name for line in outcome.lines if line.verdict == "broken"}


def test_a_mesh_that_keeps_the_rules_is_found_to_and_again_in_the_same_organisation() -> None:
    fake = FakeMesh()
    with MeshEngine("http://mesh", transport=fake) as engine, MeshReader("http://mesh", transport=fake) as reader:
        for _ in range(2):
            outcome = check(engine, reader, "scratch-1")
            assert outcome.kept, outcome.lines
        assert not [space for space in reader.spaces() if space[2] != "retraction" and space[3]], (
            "something is left live"
        )


@pytest.mark.parametrize(
    ("wrong", "names", "conclusion"),
    [
        ("", set(), "keeps everything"),
        ("twice", {"a repeat changes nothing"}, "delivery not guaranteed"),
        ("text", {"keeps text as it is"}, "delivery not guaranteed"),
        ("last wins", {"an older version does not", "a deletion holds"}, "order not guaranteed"),
        ("forgets deletions", {"a deletion holds"}, "order not guaranteed"),
        ("no revival", {"a newer version revives"}, "order not guaranteed"),
        ("ignores retractions", RETRACTIONS, "revocation not guaranteed"),
        ("windows", {"retracts a window of a lane"}, "revocation not guaranteed"),
        ("falls", {"retractions only rise"}, "revocation not guaranteed"),
    ],
)
def test_what_a_mesh_does_not_keep_is_named(wrong: str, names: set[str], conclusion: str) -> None:
    mesh = TheirMesh(wrong=wrong)
    outcome = check(mesh, mesh, "scratch-1")
    assert broken(outcome) == names
    assert [said for said in outcome.conclusions if conclusion in said]
    assert outcome.kept == (not names)


def test_a_mesh_that_retracts_only_what_is_there_is_told_from_one_that_retracts_nothing() -> None:
    mesh = TheirMesh(wrong="only what is there")
    names = broken(check(mesh, mesh, "scratch-1"))
    assert "retracts what comes later" in names
    assert "retracts what is there" not in names


def test_an_adapter_that_cannot_be_read_is_not_judged() -> None:
    outcome = check(TheirMesh(), None, "scratch-1")
    assert {line.verdict for line in outcome.lines} == {"unseen"}
    assert not outcome.kept
    assert "revocation not guaranteed as far as can be seen from here" in outcome.conclusions


def test_a_mesh_without_reading_routes_is_not_judged_and_says_why() -> None:
    fake = FakeMesh()

    def only_batches(request: httpx.Request) -> httpx.Response:
        return fake.handle_request(request) if request.method == "POST" else httpx.Response(404)

    reading = httpx.MockTransport(only_batches)
    with MeshEngine("http://mesh", transport=fake) as engine, MeshReader("http://mesh", transport=reading) as reader:
        outcome = check(engine, reader, "scratch-1")
    assert {line.verdict for line in outcome.lines} == {"unseen"}
    assert "404" in outcome.lines[0].said


def test_a_model_that_the_mesh_does_not_take_breaks_what_needs_it() -> None:
    fake = FakeMesh()

    def no_retractions(request: httpx.Request) -> httpx.Response:
        return httpx.Response(404) if "/retraction/" in request.url.path else fake.handle_request(request)

    mesh = httpx.MockTransport(no_retractions)
    with MeshEngine("http://mesh", transport=mesh) as engine, MeshReader("http://mesh", transport=mesh) as reader:
        outcome = check(engine, reader, "scratch-1")
    assert broken(outcome) == RETRACTIONS | {"lets through what is newer"}
    assert "does not take retraction: mesh refuses" in next(x.said for x in outcome.lines if x.group == "revocation")


def test_a_mesh_that_is_away_is_not_judged_at_all() -> None:
    fake = FakeMesh()
    fake.fail(503, times=10)
    with MeshEngine("http://mesh", transport=fake, policy=Policy(attempts=1)) as engine, pytest.raises(Unavailable):
        check(engine, None, "scratch-1")


def test_the_reading_waits_for_a_mesh_that_takes_its_time() -> None:
    slept: list[float] = []
    check(TheirMesh(), None, "scratch-1", settle=2.5, sleep=slept.append)
    assert slept == [2.5]


@pytest.fixture
def reference(tmp_path: Path) -> Iterator[str]:
    """The reference mesh as a process."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    store = f"sqlite:///{tmp_path / 'mesh.db'}"
    process = subprocess.Popen([sys.executable, "-m", "common_mesh.server", "--port", str(port), "--store", store])
    url = f"http://127.0.0.1:{port}"
    until = time.monotonic() + 20
    while time.monotonic() < until and process.poll() is None:
        try:
            httpx.get(f"{url}/healthz", trust_env=False)
            break
        except httpx.TransportError:
            time.sleep(0.05)
    yield url
    process.kill()
    process.wait()


@pytest.mark.integration
def test_the_command_says_line_by_line_what_the_reference_mesh_keeps(
    reference: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["mesh", "check", "--url", reference, "--json", "--org", "scratch-x"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["kept"]
    assert said["org"] == "scratch-x"
    assert {line["verdict"] for line in said["lines"]} == {"kept"}
    assert main(["mesh", "check", "--url", reference]) == 0
    assert "This mesh keeps everything that Sluice relies on." in capsys.readouterr().out

    (tmp_path / "their_mesh.py").write_text(SAMPLE)
    monkeypatch.syspath_prepend(tmp_path)
    assert main(["mesh", "check", "--engine", "their_mesh:make"]) == 1
    said_of_theirs = capsys.readouterr().out
    assert "cannot be seen from here: no reading routes are known for it" in said_of_theirs
    assert "Revocation not guaranteed" in said_of_theirs
    assert main(["mesh", "check", "--engine", "their_mesh:make", "--url", reference]) == 1
    assert "NOT KEPT  takes every model" in capsys.readouterr().out


SAMPLE = """
class Engine:
    def create_session(self, org, module, model):
        return self

    def send_all_models(self, models):
        return None


def make():
    return Engine()
"""


def test_what_is_asked_wrongly_is_said_in_a_sentence(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["mesh", "check", "--engine", "no_such_company:make"]) == 2
    assert "SLUICE_MESH_ENGINE: 'no_such_company:make' cannot be imported" in capsys.readouterr().err
    assert main(["mesh", "check", "--url", "mesh.example.com"]) == 2
    assert "address is wrong" in capsys.readouterr().err
    assert main(["mesh", "check", "--state", str(tmp_path)]) == 2
    assert "No mesh to check" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        main(["mesh", "check", "--org", "acme"])
    assert ended.value.code == 2
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
    assert main(["mesh", "check", "--url", f"http://127.0.0.1:{port}"]) == 1
    assert "nothing can be said of this mesh: mesh away." in capsys.readouterr().err

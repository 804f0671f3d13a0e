"""A channel revoked while its pages are waiting, on the wire, and in the mesh already."""

from pathlib import Path

import pytest

from cli import leaks
from tests.eventually import eventually
from tests.faults.passes import Pass, kept_every_promise, passing

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]


def sightings(running: Pass, word: bytes) -> set[str]:
    """Where a word is: files, the mesh's records with the deleted ones, metrics, dead letters."""
    return set(leaks.sightings({word}, running.walk, running.everybody, [running.directory]))


def test_nothing_of_a_revoked_channel_is_left_and_allowing_it_again_reads_it_again(tmp_path: Path) -> None:
    with passing(tmp_path / "state", channels=5, messages=500, page_limit=2) as running:
        running.begin(held=True)
        running.triggered()
        allowed = running.allowed()
        running.let_through(80)
        eventually(lambda: len(running.in_mesh(running.one)) == len(allowed), "each channel has messages in the mesh")
        revoked = max(running.in_mesh(running.one).items(), key=lambda pair: pair[1])[0]
        word = running.canaries()[revoked]
        places = {place.rpartition("/")[2].removesuffix("-wal") for place in sightings(running, word)}
        assert places == {"mesh.sqlite", "records"}, "the search can find"

        running.let_go()  # so that pages wait and are on the wire at this very moment
        answer = running.revise([channel for channel in allowed if channel != revoked])
        assert (answer.status_code, answer.json()["state"]) in ((200, "done"), (202, "revoking"))
        running.finish()
        assert running.walk.status()["counters"]["dropped.not_allowed.message"] > 0
        assert revoked not in running.in_mesh(running.one)
        assert sightings(running, word) == set()
        running.holds_all()

        assert running.revise(allowed).status_code == 200
        eventually(lambda: revoked in running.in_mesh(running.one), "the channel is read again")
        running.finish()
        kept_every_promise(running, at_least=400)

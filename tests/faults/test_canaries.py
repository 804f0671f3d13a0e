"""Words of channels that are not allowed: in nothing that a run leaves behind, though their pages were posted."""

from pathlib import Path

import httpx
import pytest

from cli import leaks
from tests.faults.passes import kept_every_promise, passing

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]


def test_canaries_of_channels_that_are_not_allowed_are_in_no_file_that_the_run_wrote(
    tmp_path: Path, temporary_files: Path
) -> None:
    state = tmp_path / "state"
    given = {"SLUICE_LOG_LEVEL": "DEBUG"}  # the most talkative run
    with passing(state, without=(), given=given, channels=8, messages=600, page_limit=20) as running:
        running.begin()
        running.triggered()
        running.finish()
        assert kept_every_promise(running, at_least=30).dropped["not_allowed"] > 0
        allowed = set(running.allowed())
        secret = {word for channel, word in running.canaries().items() if channel not in allowed}
        known = {word for channel, word in running.canaries().items() if channel in allowed}
        password = running.stack.secrets.flower_password.get_secret_value()
        flower = httpx.Client(base_url=running.stack.urls["flower"], auth=("sluice", password), trust_env=False)
        with flower:
            for page in ("/tasks", "/api/tasks", "/metrics"):
                shown = flower.get(page).content
                assert not [word for word in secret | known if word in shown]
    left = [state, temporary_files]
    assert leaks.in_files(secret, left) == {}
    found = leaks.in_files(known, left)
    assert set(found) <= {str(state / f"mesh.sqlite{ending}") for ending in ("", "-wal")}, "sealed everywhere else"
    assert set().union(*found.values()) == known, "the same search finds what was let through"

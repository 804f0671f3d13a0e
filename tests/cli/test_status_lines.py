"""What `./sluice status` shows of what is kept back."""

from typing import Any

from cli.status import SAID, _table
from pipeline.store import hold

NOTHING: dict[str, Any] = {"urls": {}, "processes": [], **dict.fromkeys(SAID)}


def test_a_held_store_is_shown_with_what_to_do() -> None:
    held = {"since": 1, "backup": None, "says": hold.SAYS}
    assert f"  held: {hold.SAYS}" in _table({**NOTHING, "held": held}, running=True).splitlines()


def test_what_is_not_kept_back_is_not_mentioned() -> None:
    shown = _table(NOTHING, running=True)
    assert "held" not in shown
    assert "paused" not in shown

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


def test_a_paused_channel_is_shown_with_what_ends_it_and_many_are_counted() -> None:
    one = {"org": "end10843", "team": "T1", "channel": "C1", "reason": "operator", "says": "An operator resumes it."}
    shown = _table({**NOTHING, "paused_channels": [one] * 7}, running=True).splitlines()
    assert shown.count("  paused: end10843 T1 C1 (operator). An operator resumes it.") == 5
    assert shown[-1] == "  paused: and more channels: 2"


def test_what_slack_sends_that_is_not_known_is_shown_and_what_is_left_out_by_rule_is_not() -> None:
    census = [{"kind": "withheld", "name": "root", "count": 9}, {"kind": "block", "name": "hologram", "count": 3}]
    shown = _table({**NOTHING, "census": census}, running=True)
    assert "  not known here: block hologram, 3 times" in shown.splitlines()
    assert "root" not in shown

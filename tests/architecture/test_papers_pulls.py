"""docs/pulls.md and decision 9 are held to the code: states, figures, defaults, what is shown."""

import re
from pathlib import Path

import pytest

from api.shown_pulls import RunShown
from cli.coverage import WORST_FIRST
from cli.run_lines import STUCK
from cli.timeline import Ink, Line, axis, legend
from pipeline.rules.regimes import RESTRICTED, STANDARD, shortest_period
from pipeline.rules.rereading import BRAKE, SMALLEST
from pipeline.rules.windows import DAY_US, FIRST_STEP_US
from pipeline.store.runs import MARKS, MOST_ATTEMPTS
from settings import Settings
from workers.schedule import HALVED_AFTER, MISSED_AFTER

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/pulls.md").read_text()
DECISION = next((ROOT / "docs/decisions").glob("0009-*.md")).read_text()
WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def rows(heading: str) -> list[str]:
    """The table's rows under a heading, their first cells."""
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| (.+?) \|", section, re.M)


def test_every_state_that_a_run_can_show_is_explained() -> None:
    states = re.findall(r"`(\w+)`", RunShown.model_fields["state"].description or "")
    told = {name.strip("`*") for name in rows("How a run stands")}
    assert len(states) > 7
    assert {state.replace("_", " ") for state in states} | set(STUCK) == told - {"Word", "---"}


def test_every_word_of_the_drawing_is_explained() -> None:
    assert not [word for word in WORST_FIRST if f"`{word}`" not in PAGE]
    assert legend([], axis([Line("C1", "")], 4000 * DAY_US * 5, 60), 80, Ink())[0] in PAGE
    assert {kind for kind in MARKS if f"(`{kind}`)" in PAGE} == set(MARKS)


@pytest.mark.parametrize(
    "said",
    [
        f"{WORDS[MOST_ATTEMPTS]} attempts brought no proof",
        f"{WORDS[HALVED_AFTER]} attempts brought pages",
        f"did not come whole in {WORDS[MISSED_AFTER]} attempts",
        f"more than {BRAKE:.0%} of what was known of a day, and more than {WORDS[SMALLEST]} messages".replace(
            "%", " %"
        ),
        f"Slices: {FIRST_STEP_US // DAY_US} days",
        f"after one that took {WORDS[STANDARD.few]} requests or fewer",
        f"took more than {STANDARD.many} (restricted: {RESTRICTED.many})",
        f"| {STANDARD.requests_a_minute} | {RESTRICTED.requests_a_minute} |",
        f"{STANDARD.limit}; {STANDARD.channels}; {STANDARD.flights} | "
        f"{RESTRICTED.limit}; {RESTRICTED.channels}; {RESTRICTED.flights} |",
        f"| {shortest_period(100, STANDARD) / 60e6} minutes | {shortest_period(100, RESTRICTED) / 60e6:.0f} minutes |",
        *(
            f"`SLUICE_{name.upper()}` ({Settings.model_fields[name].default:g})"
            for name in ("pull_minutes", "reread_days", "overdue_seconds", "pulls_at_once")
        ),
    ],
)
def test_the_figures_of_the_page_are_those_of_the_code(said: str) -> None:
    assert said in PAGE


def test_the_decision_names_the_same_brake() -> None:
    assert f"More than {100 * BRAKE:.0f} % of a day's messages gone, and more than {WORDS[SMALLEST]}" in DECISION

"""Coverage as a drawing: exact, for whatever a channel's coverage can be."""

import re

from cli.timeline import Ink, Line, axis, cells, header, legend, row
from pipeline.rules.versions import ts_us
from pipeline.rules.windows import DAY_US, HOUR_US, Stretch

NOW = ts_us("1763892000.000000")  # 2025-11-23 10:00 UTC
WHOLE = Stretch(0, NOW - 2 * HOUR_US // 60)


INK = Ink()


def drawn(*lines: Line, width: int = 60, ink: Ink = INK) -> list[str]:
    parts = axis(lines, NOW, width)
    label = max(len(line.name) for line in lines)
    return [f"{'':<{label}} {header(parts)}", *(row(line, parts, label, ink) for line in lines)]


def test_what_is_covered_asked_for_stuck_and_not_wanted_is_told_apart() -> None:
    back = Stretch(NOW - 120 * DAY_US, NOW - 60 * DAY_US)
    stuck = Stretch(NOW - 3 * DAY_US, NOW)
    assert drawn(
        Line("C05019B47SB", "covered", 0, WHOLE),
        Line("C2", "backfill", 0, Stretch(back.head, WHOLE.head), asked=(back,)),
        Line("C3", "never", NOW - 30 * DAY_US, None, asked=(Stretch(NOW - 10 * DAY_US, NOW),)),
        Line("C4", "blocked", 0, Stretch(0, stuck.tail), stuck=(stuck,)),
        Line("C5", "covered", 0, WHOLE, again=(Stretch(NOW - 6 * DAY_US, NOW - 5 * DAY_US),)),
        Line("C6", "never", NOW - 2 * DAY_US),
    ) == [
        "             2013-01-01     2025-08-24     2025-11-16     2025-11-22 now",
        "C05019B47SB |██████████████|██████████████|██████████████|██████████████ covered",
        "C2          |·············▒|▒▒▒▒▒▒████████|██████████████|██████████████ backfill",
        "C3          |              |          ···▒|▒▒▒▒▒▒▒▒▒▒▒▒▒▒|▒▒▒▒▒▒▒▒▒▒▒▒▒▒ never",
        "C4          |██████████████|██████████████|█████████!!!!!|!!!!!!!!!!!!!! blocked",
        "C5          |██████████████|██████████████|██▓▓▓█████████|██████████████ covered",
        "C6          |              |              |            ··|·············· never",
    ]


def test_what_slacks_plan_may_hide_does_not_pass_for_covered() -> None:
    line = Line("C1", "covered", 0, WHOLE, again=(Stretch(NOW - 9 * HOUR_US, NOW),), hidden=NOW - 50 * DAY_US)
    [_, shown] = drawn(line, width=40)
    assert shown == "C1 |░░░░░░░░░|░░░░█████|█████████|█████▓▓▓▓ covered"
    [_, plain] = drawn(line, width=40, ink=Ink(unicode=False))
    assert plain == "C1 |---------|----#####|#########|#####++++ covered"
    parts = axis([line], NOW, 40)
    assert "░ Slack's plan may hide some" in "\n".join(legend([line], parts, 80, Ink()))
    assert "hide" not in "\n".join(legend([line._replace(hidden=0)], parts, 80, Ink()))


def test_a_short_window_that_does_not_come_is_seen_however_wide_a_cell_is() -> None:
    minute = Stretch(NOW - 60_000_000, NOW)
    [_, line] = drawn(Line("C1", "overdue", 0, Stretch(0, minute.tail), stuck=(minute,)))
    assert line.endswith("█! overdue")
    years_ago = Stretch(ts_us("1500000000.000000"), ts_us("1500000001.000000"))
    [_, line] = drawn(Line("C1", "backfill", 0, Stretch(years_ago.head, NOW), asked=(years_ago,)))
    assert line.count("▒") == 1


def test_the_axis_begins_where_something_is_wanted_and_has_only_the_parts_that_it_reaches() -> None:
    for days, dates in (
        (0, " 2025-11-23                          now"),
        (3, " 2025-11-20          2025-11-22      now"),
        (30, " 2025-10-24   2025-11-16   11-22     now"),
        (200, " 2025      08-24     11-16     11-22 now"),
    ):
        assert header(axis([Line("C1", "", NOW - days * DAY_US)], NOW, 40)) == dates


def test_every_line_is_as_wide_as_was_asked_for() -> None:
    for width in range(24, 200, 7):
        for days in (0.01, 0.5, 2, 20, 100, 4000):
            line = Line("C1", "", int(NOW - days * DAY_US))
            parts = axis([line], NOW, width)
            assert len(header(parts)) == len(row(line._replace(covered=WHOLE), parts, 2, Ink())) - 3 == width
            assert {len(kinds) for kinds in cells(line, parts)} == {part.cells for part in parts}


def test_a_terminal_without_unicode_gets_ascii() -> None:
    [_, line] = drawn(Line("C1", "backfill", 0, Stretch(NOW - DAY_US, NOW)), width=24, ink=Ink(unicode=False))
    assert line == "C1 |.....|.....|.....|##### backfill"
    shown = "\n".join(legend([], axis([Line("C1", "")], NOW, 40), 80, Ink(unicode=False)))
    assert shown.isascii()


def test_colours_are_those_of_the_marks_and_nothing_else_changes() -> None:
    line = Line("C1", "behind", NOW - DAY_US, Stretch(0, NOW - 6 * HOUR_US), stuck=(Stretch(NOW - 6 * HOUR_US, NOW),))
    parts = axis([line], NOW, 9)
    assert row(line, parts, 2, Ink(colours=True)) == "C1 |\x1b[32m██████\x1b[0m\x1b[1;31m!!\x1b[0m behind"


def test_the_legend_names_every_mark_and_the_scales_in_the_width_that_there_is() -> None:
    parts = axis([Line("C1", "")], NOW, 60)
    assert legend([], parts, 80, Ink()) == [
        "█ covered  ▓ read again now  ▒ asked for  ! stuck  · not asked yet",
        "Times are UTC. Each part has its own scale: the time before, 13 weeks, 7 days,",
        "the last day.",
    ]
    for width in (20, 40, 60):
        assert max(map(len, legend([], parts, width, Ink()))) <= width
    coloured = legend([], parts, 40, Ink(colours=True))
    assert [re.sub(r"\x1b\[[\d;]*m", "", line) for line in coloured] == legend([], parts, 40, Ink())
    assert legend([], axis([Line("C1", "", NOW - HOUR_US)], NOW, 60), 80, Ink())[1] == "Times are UTC."

"""What a terminal, a file, a plain locale get to see; and that a page is written over in its place."""

import io

import pytest

from cli.screen import Progress, Screen


class Terminal(io.StringIO):
    encoding = "utf-8"  # type: ignore[assignment]

    def isatty(self) -> bool:
        return True


def sized(monkeypatch: pytest.MonkeyPatch, columns: int, lines: int) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("LINES", str(lines))


def test_a_page_is_written_over_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    sized(monkeypatch, 40, 10)
    stream = Terminal()
    screen = Screen(stream, {})
    for page in (["one", "two", "three"], ["four"], ["five", "six"]):
        stream.seek(0)
        stream.truncate()
        screen.over(page)
        assert stream.getvalue().endswith("".join(f"{line}\x1b[K\n" for line in page) + "\x1b[J")
    assert stream.getvalue().startswith("\x1b[1A"), "the page before had one line"
    sized(monkeypatch, 30, 10)
    stream.truncate(0)
    screen.over(["seven"])
    assert "\x1b[H\x1b[J" in stream.getvalue(), "lines that were wrapped anew cannot be counted"


def test_a_page_is_cut_to_the_rows_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    sized(monkeypatch, 40, 4)
    stream = Terminal()
    Screen(stream, {}).over([str(number) for number in range(9)])
    assert stream.getvalue() == "0\x1b[K\n1\x1b[K\n2\x1b[K\n\x1b[J"


def test_a_terminal_gets_lines_of_its_width_and_a_file_whole_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    sized(monkeypatch, 30, 24)
    line = f"  run  {'x' * 40}  attempt 1, 10 pages, 3 min ago"
    made = Screen(Terminal(), {}).wrapped(line)
    assert max(map(len, made)) <= 30
    assert [one[:4] for one in made] == ["  ru", *["    "] * (len(made) - 1)]
    assert Screen(io.StringIO(), {}).wrapped(line) == [line]


@pytest.mark.parametrize(
    ("environ", "unicode", "colours"),
    [
        ({}, True, True),
        ({"LC_ALL": "C"}, False, True),
        ({"LANG": "POSIX", "LC_CTYPE": "C.UTF-8"}, False, True),
        ({"LC_ALL": "de_DE.UTF-8", "LANG": "C"}, True, True),
        ({"NO_COLOR": "1"}, True, False),
        ({"TERM": "dumb"}, True, False),
    ],
)
def test_marks_and_colours_are_those_that_the_terminal_has(
    environ: dict[str, str], unicode: bool, colours: bool
) -> None:
    screen = Screen(Terminal(), environ)
    assert screen.ink == (unicode, colours)
    assert (screen.coloured("held", "yellow") == "held") is not colours
    assert screen.coloured("requested", "") == "requested"


def test_a_file_in_an_encoding_without_blocks_gets_ascii_and_no_colours() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    assert Screen(stream, {}).ink == (False, False)


def test_progress_is_one_line_on_a_terminal_and_elsewhere_a_line_for_each_news(monkeypatch: pytest.MonkeyPatch) -> None:
    sized(monkeypatch, 10, 24)
    for stream, written in (
        (Terminal(), "\r\x1b[Kone\r\x1b[Ktwo, whic\n"),
        (io.StringIO(), "one\ntwo, which is long\n"),
    ):
        line = Progress(stream)
        for said in ("one", "one", "two, which is long"):
            line.say(said)
        line.end()
        line.end()
        assert stream.getvalue() == written

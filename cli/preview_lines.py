"""JSON lines: whether an input is some, and its lines one by one."""

from collections.abc import Iterator

import msgspec

from cli.preview_source import CAP, Opened


def first_line(opened: Opened) -> bytes | None:
    """The head of the input, extended to its first line's end; None where that line is longer than the cap."""
    if b"\n" not in opened.head:
        opened.head += opened.stream.readline(CAP)
    head = opened.head
    return head if b"\n" in head and head.partition(b"\n")[0].strip() else None


def is_whole(head: bytes) -> bool:
    """Whether the first line is JSON by itself: then all lines are."""
    line = head.partition(b"\n")[0]
    try:
        msgspec.json.decode(line, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError):
        return False
    return line.lstrip()[:1] in (b"{", b"[")


def lines(opened: Opened) -> Iterator[tuple[bytes | None, int]]:
    """(line, its length in bytes); None for one that is longer than the cap."""
    head, opened.head = opened.head, b""
    while True:
        line, _, rest = head.partition(b"\n")
        if b"\n" not in head:
            line, rest = head + opened.stream.readline(CAP + 1), b""
            if not line:
                return
            if len(line) > CAP and not line.endswith(b"\n"):
                yield None, len(line) + _skip_line(opened)
                head = b""
                continue
            line = line.removesuffix(b"\n")
        head = rest
        yield line, len(line) + 1


def _skip_line(opened: Opened) -> int:
    size = 0
    while piece := opened.stream.readline(CAP):
        size += len(piece)
        if piece.endswith(b"\n"):
            break
    return size

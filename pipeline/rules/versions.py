"""Epochs, revisions and versions: which state of a record is the newest (design.md, 2). Pure.

A version is `epoch` then `revision`, 16 digits each, compared bytewise: what a later run read wins over what an
earlier one read; within a run, the later edit wins.
"""

from pipeline.errors import Rejected

WIDTH = 16
_CEILING = int("9" * WIDTH)


def ts_us(ts: str) -> int:
    """Slack's `ts` ("1681413317.397479") as integer microseconds. Never through a float.

    Raises `Rejected("bad_ts")` for anything that is not digits, a point, and up to six digits.
    """
    # Not `common_core.temporal.slack_ts_us`, which wants six digits and no fewer and raises an error of its own: here a
    # `ts` that an export has shortened is still a time, and what is none must become a dead letter.
    whole, _, fraction = ts.partition(".")
    if not (whole.isascii() and whole.isdigit() and len(whole) <= 10 and len(fraction) <= 6):
        raise Rejected("bad_ts")
    if fraction and not (fraction.isascii() and fraction.isdigit()):
        raise Rejected("bad_ts")
    return int(whole) * 1_000_000 + int(fraction.ljust(6, "0"))


def us_ts(us: int) -> str:
    """Integer microseconds as Slack writes them on the wire."""
    return f"{us // 1_000_000}.{us % 1_000_000:06d}"


def epoch_of_entry(stream_id: str) -> int:
    """The epoch of an entry outside a run: its stream id, milliseconds × 1000 + sequence."""
    milliseconds, _, sequence = stream_id.partition("-")
    return int(milliseconds) * 1000 + min(int(sequence or 0), 999)


def version(epoch: int, revision: int = 0) -> str:
    """32 digits: epoch, then source revision. Out-of-range numbers are clamped, never widened."""
    return f"{_clamp(epoch):0{WIDTH}d}{_clamp(revision):0{WIDTH}d}"


def epoch_digits(epoch: int) -> str:
    """An epoch as a retraction's `below` carries it."""
    return f"{_clamp(epoch):0{WIDTH}d}"


def _clamp(number: int) -> int:
    return min(max(number, 0), _CEILING)

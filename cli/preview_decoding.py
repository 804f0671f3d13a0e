"""One raw record, decoded as a callback's records are."""

from typing import Final

from cli.preview_frames import Damaged
from pipeline.payload import LISTS, EnvelopeError, Kind, read_records

EPOCH: Final = 0
"""No run asked for what is previewed: the first half of each version is zeros."""


def decoded(kind: Kind, at: int, raw: bytes) -> object:
    """One record by the code that reads callbacks, which judges half surrogates, depth and numbers.

    Raises `Damaged` for what is no JSON after all.
    """
    try:
        records = read_records(b'{"%b":[%b]}' % (LISTS[kind].encode(), raw), kind)
    except EnvelopeError as error:
        raise Damaged(at, f"this is no JSON ({error.kind})") from None
    if len(records) != 1:
        raise Damaged(at, "this is no JSON")
    return records[0]

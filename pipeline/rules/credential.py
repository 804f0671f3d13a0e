"""What a look at Paragon says of a credential, and whether that is news to the core service. Pure; microseconds."""

from typing import Final, Literal, NamedTuple

Word = Literal["valid", "refused", "disconnected", "other_team"]
_SAID: Final[dict[str, Word]] = {"VALID": "valid", "INVALID": "refused"}


class Told(NamedTuple):
    """What the core service was told last, and as of when."""

    word: Word
    at: int


def word(*, enabled: bool, status: str | None, other_team: bool) -> Word | None:
    """What a look says; None where Paragon has not made up its mind (`PENDING`, or nothing): then it is as it was."""
    if not enabled:
        return "disconnected"
    if other_team:
        return "other_team"
    return _SAID.get(status or "")


def news(before: Told | None, said: Word | None, at: int) -> Told | None:
    """What to tell, None for nothing: a credential that came to hold, or that ceased to.

    Who has never connected Slack is no news, and neither is another reason for what does not hold anyway. The time
    always rises, so that a receiver who gets two of them in the wrong order can tell which one is newer.
    """
    if said is None or (before is None and said == "disconnected"):
        return None
    if before is not None and (before.word == "valid") == (said == "valid"):
        return None
    return Told(said, max(at, before.at + 1) if before else at)

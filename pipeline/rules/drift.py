"""What somebody else has changed of our keys in a Paragon user's metadata. Pure."""

from collections.abc import Collection, Mapping
from typing import Any, Final, NamedTuple

LIST: Final = "allowListedChannels"


class Drift(NamedTuple):
    """Which of our keys hold something else, and which channels their list has more and fewer than ours."""

    keys: list[str]
    added: list[str]
    missing: list[str]


def drift(meta: Mapping[str, Any], ours: Mapping[str, Any], listed: Collection[str]) -> Drift | None:
    """`meta` against what we last wrote into it, None where that still stands; other keys are not looked at.

    `listed` are the channels that can be read out of its list, whatever has become of that.
    """
    keys = sorted(name for name, value in ours.items() if name not in meta or meta[name] != value)
    if not keys:
        return None
    own = set(ours[LIST]) if LIST in keys else set(listed)
    return Drift(keys, sorted(set(listed) - own), sorted(own - set(listed)))

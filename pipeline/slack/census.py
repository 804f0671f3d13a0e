"""What Slack sent that this version does not know, and what was withheld: counted by name, never by content. Pure."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from pipeline.slack.known import FIELDS

Kind = Literal["subtype", "block", "element", "field", "withheld"]
"""`subtype` of a message, `block`, `element` of a block, `field` ("message.foo", "user.foo" …): not known to us, and
read as far as possible. `withheld`: another channel's content, left out ("attachment", "root", "file", "block")."""

OTHER: Final = "other"
"""Stands for a name that does not look like one of Slack's, and for all names beyond the first `MOST`."""
MOST: Final = 100
"""How many different (kind, name) one census holds, the `other` of each kind aside: a bound on memory and labels."""

_NAME = re.compile(r"(?:(?:message|attachment|user|channel)\.)?[a-z][a-z0-9]{0,15}(?:_[a-z0-9]{1,15}){0,3}\Z")
_NUMBER = re.compile(r"[0-9]{5}")


@dataclass(slots=True)
class Census:
    """A collector that a caller passes through `map_message`, `map_user` and `map_channel`, one a batch.

    Nothing is added while everything is known. A batch that is mapped again is counted again. Names are of Slack's own
    alphabet (lower case, digits, four short words with `_` between) and few: an address, an id, a sentence, a number of
    five digits or more becomes `other`, so that nothing that somebody wrote can be read out of a label.
    """

    counts: Counter[tuple[Kind, str]] = field(default_factory=Counter)

    def add(self, kind: Kind, name: object) -> None:
        """Count one. Takes any JSON value as the name; never raises."""
        key = (kind, name if isinstance(name, str) and _NAME.match(name) and not _NUMBER.search(name) else OTHER)
        if key not in self.counts and len(self.counts) >= MOST:
            key = (kind, OTHER)
        self.counts[key] += 1

    def fields(self, of: Literal["message", "attachment", "user", "channel"], raw: Mapping[Any, Any]) -> None:
        """Count the fields of an object that are not known."""
        known = FIELDS[of]
        if not known.issuperset(raw):
            for name in raw:
                if name not in known:
                    self.add("field", f"{of}.{name}")

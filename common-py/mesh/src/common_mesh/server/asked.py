"""What a page's address asks for, and the addresses of its neighbours."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

from common_mesh.reference.paging import BadQuery
from common_mesh.reference.store import Filters

SECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class View:
    """The fields of the filter as they were typed, and where the page begins."""

    prefix: str = ""
    since: str = ""
    until: str = ""
    version: str = ""
    all: bool = False
    after: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "View":
        """From the address; what is not there is empty."""
        words = {name: query.get(name, "") for name in ("prefix", "since", "until", "version", "after")}
        return cls(all=query.get("all") == "true", **words)

    @property
    def filters(self) -> Filters:
        """For the store: both ends of the time are meant inclusively. Raises `BadQuery`."""
        since, until = _microseconds("From", self.since), _microseconds("Until", self.until)
        return Filters(
            all=self.all,
            # A typed second or minute means all of it: the end is its last microsecond.
            ts_after=None if since is None else max(since - 1, 0),
            ts_until=None if until is None else until + (SECOND if self.until.count(":") > 1 else 60 * SECOND) - 1,
            version_after=self.version or None,
            prefix=self.prefix,
        )

    @property
    def narrowed(self) -> bool:
        """Whether anything is filtered away that would be shown."""
        return bool(self.prefix or self.since or self.until or self.version)

    def query(self, after: str = "") -> str:
        """The same view, from `after` on, as the end of an address."""
        words = {name: getattr(self, name) for name in ("prefix", "since", "until", "version")}
        kept = {name: value for name, value in words.items() if value}
        kept |= {"all": "true"} if self.all else {}
        kept |= {"after": after} if after else {}
        return "?" + urlencode(kept) if kept else ""


def _microseconds(name: str, typed: str) -> int | None:
    if not typed:
        return None
    try:
        return int(datetime.fromisoformat(typed).replace(tzinfo=UTC).timestamp()) * SECOND
    except (ValueError, OverflowError):
        raise BadQuery(f"“{name}” is no date and time") from None


def moment(microseconds: object) -> str:
    """Microseconds since 1970 for a person, in UTC; empty for what is no such number."""
    if type(microseconds) is not int or not 0 <= microseconds < 253_402_300_800 * SECOND:
        return ""
    return datetime.fromtimestamp(microseconds // SECOND, UTC).strftime("%Y-%m-%d %H:%M:%S")


def epoch(version: str) -> str:
    """The version's first 16 digits for a person: most meshes' epochs are microseconds, small ones are just numbers."""
    number = int(version[:16])
    return moment(number) if number > 10**14 else str(number)

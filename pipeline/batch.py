"""A batch on its way through the flow: the entries that one take gave, and what each stage found out about them."""

from collections import Counter
from dataclasses import dataclass, field

from pipeline.connection import split_connection
from pipeline.envelope import Envelope
from pipeline.errors import Unavailable
from pipeline.models import Internal
from pipeline.rules.allowlist import Allowed
from pipeline.rules.exclusion import Person
from pipeline.rules.showing import Showing
from pipeline.slack.census import Census
from pipeline.store.channel_pauses import Judged
from pipeline.store.connections import Registration
from pipeline.store.entries import Header
from pipeline.store.inbox import Stored, Taken


@dataclass(slots=True)
class Mapped:
    """One record to deliver, and the raw object that it came from (sealed again should it turn out dead)."""

    record: Internal
    raw: object


@dataclass(slots=True)
class Dead:
    """One record (or, without an id, every record of the entry) that can never work."""

    reason: str
    raw: object = None
    model: str | None = None
    id: str | None = None
    version: str | None = None


@dataclass(slots=True)
class Work:
    """One entry of the batch. `held` is set where somebody else's outage keeps it back; it is then not settled."""

    stored: Stored
    header: Header
    epoch: int
    plain: bytes = b""
    envelope: Envelope | None = None
    raw: list[object] = field(default_factory=list)
    shows: Showing = field(default_factory=Showing)
    mapped: list[Mapped] = field(default_factory=list)
    directory: list[Internal] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    census: Census = field(default_factory=Census)
    dead: list[Dead] = field(default_factory=list)
    sealed_death: str | None = None
    purged: bool = False
    delivered: Counter[str] = field(default_factory=Counter)
    held: Unavailable | None = None

    @property
    def live(self) -> bool:
        """Whether later stages have anything to do with it."""
        return not (self.purged or self.sealed_death or self.held)

    @property
    def org(self) -> str:
        """The organisation that it belongs to."""
        return split_connection(self.header.connection)[1]

    def die(self, reason: str) -> None:
        """The whole entry can never work; it is kept under its own seal."""
        self.sealed_death = reason
        self.mapped, self.directory = [], []


@dataclass(slots=True)
class Batch:
    """What one take gave. `known` is the connection's registration; None for effects, which come from many.

    `allowed` is the list as admit read it, with what is kept back of it; `judged` what pages of the batch itself tell
    of channels on it; `excluded` whoever was erased.
    """

    taken: Taken
    known: Registration | None
    works: list[Work]
    allowed: Allowed = field(default_factory=Allowed)
    judged: Judged | None = None
    excluded: frozenset[Person] = frozenset()

    @property
    def team(self) -> str:
        """The connection's team, fixed before anything of it is mapped."""
        return (self.known.team if self.known else None) or ""

    def live(self) -> list[Work]:
        """The entries that are still on their way."""
        return [work for work in self.works if work.live]

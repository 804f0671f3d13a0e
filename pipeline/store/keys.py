"""The names of everything in the store. Every key of an organisation carries its shard's tag `{sN}`, so that each
script touches one hash slot.

    {sN}:state                   absent | rung | draining:<token> | held
    {sN}:ready, {sN}:in:<connection>   connection → microseconds from when it may be served; stream of sealed entries
    {sN}:ready:effects, {sN}:effects:<org>   the same for what core routes cause, an organisation each; served first
    {sN}:mark, {sN}:suspects, {sN}:parked   what a drain had open; to be taken alone → crashes; refused → tries
    {sN}:connections, {sN}:conn:<connection>   all ever registered; generation, team, list version, dates
    {sN}:allow:<org>, {sN}:dir:<org>:<team>:<kind>   <team>|<channel>|<connection> → who, when; Slack id → sealed record
    {sN}:dirruns:<connection>, {sN}:dirrun:<connection>:<generation>:<kind>:<run>   directory executions; pages of one
    {sN}:paused, {sN}:erased:<org>   scope → since when; <team>|<Slack user id> → epoch, < 0 if readmitted
    {sN}:purging, {sN}:dead:copy   how what has to go is found, and goes (purging.py)
    {sN}:removal:<receipt>, {sN}:removal:of:<org>   how far it has come; what was removed → receipt
    {sN}:paused:<org>, {sN}:asking, {sN}:baseline:<org>   channels not read now; whose; as they were when allowed
    {sN}:cov:<connection>   <channel>|head, |tail, |start, |step, |cost, |since, |days, |deep, |limited, |last and runs
    {sN}:threads:<connection>|<channel>, {sN}:moved:<connection>, {sN}:told:<connection>   threads; what the mesh knows
    {sN}:run:<run>, {sN}:facts:<run>:<attempt>, {sN}:runs:<connection>, {sN}:touched   the ledger
    {sN}:flights, {sN}:flights:<connection>, {sN}:sweeps   runs that are out; runs whose sweep waits for an operator
    {sN}:org:<org>, {sN}:due, {sN}:tries   last epoch, teams' rates; item → when it is due; item → failures in a row
    {sN}:events, {sN}:events:order, {sN}:events:due, {sN}:events:dead, {sN}:events:dead:order   dead_events.py
    {sN}:receipts, {sN}:receipts:order, {sN}:dead, {sN}:counters, {sN}:audit, {sN}:census (<kind>|<name> → number)
    sluice:meta, sluice:upgrading, sluice:probe, sluice:rewrite   layout, hold; who upgrades; of /readyz; rewriting.py
    sluice:probe:<id>, sluice:events:<address>, sluice:events:sender   probes.py; who is told of events; who sends them
"""

from dataclasses import dataclass
from hashlib import blake2b

from pipeline.connection import split_connection

META = "sluice:meta"
EVENTS_SENDER = "sluice:events:sender"
REWRITE = "sluice:rewrite"
EFFECTS = "effects:"  # begins a member for an organisation's effects: a connection has a slash, it has none


def effects_of(org: str) -> str:
    """The member that stands for an organisation's effects."""
    return EFFECTS + org


def events_endpoint(digest: str) -> str:
    """How an address takes events; it is known by a hash."""
    return f"sluice:events:{digest}"


def is_effects(member: str) -> bool:
    """Whether a member of a ready set stands for effects."""
    return member.startswith(EFFECTS) and "/" not in member


def shard_of(org: str, shards: int) -> int:
    """The shard of an organisation: a hash that is the same on every machine."""
    return int.from_bytes(blake2b(org.encode(), digest_size=8).digest()) % shards


def shard_of_id(identifier: str) -> int:
    """The shard that a receipt or run id begins with (2 hex digits). Raises ValueError."""
    return int(identifier[:2], 16)


@dataclass(frozen=True, slots=True)
class Keys:
    """All key names of one shard."""

    shard: int

    def _key(self, name: str) -> str:
        return f"{{s{self.shard}}}:{name}"

    @property
    def state(self) -> str:
        """Idle, rung, or leased."""
        return self._key("state")

    @property
    def ready(self) -> str:
        """Who has something waiting, and since when."""
        return self._key("ready")

    @property
    def mark(self) -> str:
        """What the present drain has open."""
        return self._key("mark")

    @property
    def suspects(self) -> str:
        """Entries that were open when a drain died."""
        return self._key("suspects")

    @property
    def parked(self) -> str:
        """Connections that wait for somebody else's outage to end."""
        return self._key("parked")

    @property
    def connections(self) -> str:
        """Every connection of the shard."""
        return self._key("connections")

    @property
    def receipts(self) -> str:
        """Receipt → JSON without content."""
        return self._key("receipts")

    @property
    def receipts_order(self) -> str:
        """Receipts, oldest first, for the cap."""
        return self._key("receipts:order")

    @property
    def dead(self) -> str:
        """Dead letters, a stream; with `:copy` behind it, the same while it is written anew."""
        return self._key("dead")

    @property
    def purging(self) -> str:
        """How far the dead letters have been searched for what has to go."""
        return self._key("purging")

    def removal(self, name: str) -> str:
        """How far what its receipt names has come, or `of:<org>`: the last removal of each thing."""
        return self._key(f"removal:{name}")

    @property
    def counters(self) -> str:
        """Counter → number."""
        return self._key("counters")

    @property
    def census(self) -> str:
        """What Slack sent that is not known here, by kind and name → number."""
        return self._key("census")

    @property
    def audit(self) -> str:
        """Who changed what, a stream."""
        return self._key("audit")

    @property
    def due(self) -> str:
        """The schedule."""
        return self._key("due")

    @property
    def tries(self) -> str:
        """How often each item of the schedule has failed in a row."""
        return self._key("tries")

    @property
    def touched(self) -> str:
        """Runs whose coverage is to be looked at."""
        return self._key("touched")

    @property
    def paused(self) -> str:
        """Whom an operator has paused, as far as this shard is concerned."""
        return self._key("paused")

    @property
    def ready_effects(self) -> str:
        """Whose effects wait, and since when."""
        return self._key("ready:effects")

    @property
    def events(self) -> str:
        """Events that wait to be told."""
        return self._key("events")

    @property
    def events_order(self) -> str:
        """When each of them was written."""
        return self._key("events:order")

    @property
    def events_due(self) -> str:
        """From when each of them may be sent."""
        return self._key("events:due")

    @property
    def events_dead(self) -> str:
        """Events that could not be told."""
        return self._key("events:dead")

    @property
    def events_dead_order(self) -> str:
        """Since when each of them is dead, for the cap."""
        return self._key("events:dead:order")

    def ready_of(self, member: str) -> str:
        """The sorted set that a member belongs to."""
        return self.ready_effects if is_effects(member) else self.ready

    def stream(self, member: str) -> str:
        """The stream of a member of a ready set."""
        return self._key(member) if is_effects(member) else self._key(f"in:{member}")

    def connection(self, connection: str) -> str:
        """A connection's registration."""
        return self._key(f"conn:{connection}")

    def org(self, org: str) -> str:
        """An organisation's own fields."""
        return self._key(f"org:{org}")

    def allow(self, org: str) -> str:
        """An organisation's allowlist entries."""
        return self._key(f"allow:{org}")

    def paused_channels(self, org: str) -> str:
        """An organisation's channels that are not read now, and why."""
        return self._key(f"paused:{org}")

    @property
    def asking(self) -> str:
        """Every organisation that ever had a channel paused: where to look for those that have."""
        return self._key("asking")

    def baselines(self, org: str) -> str:
        """What the allowed channels of an organisation were when somebody said yes to them."""
        return self._key(f"baseline:{org}")

    def erased(self, org: str) -> str:
        """The people of whom nothing may pass."""
        return self._key(f"erased:{org}")

    def directory(self, org: str, team: str, kind: str) -> str:
        """The team's users or channels."""
        return self._key(f"dir:{org}:{team}:{kind}")

    def directory_run(self, connection: str, generation: int, kind: str, run: str) -> str:
        """The pages seen of one directory execution."""
        return self._key(f"dirrun:{connection}:{generation}:{kind}:{run}")

    def directory_runs(self, connection: str) -> str:
        """Which executions there were, by when their last page came."""
        return self._key(f"dirruns:{connection}")

    def coverage(self, connection: str) -> str:
        """How far each channel of a connection is covered."""
        return self._key(f"cov:{connection}")

    def threads(self, connection: str, channel: str) -> str:
        """How far a channel's threads of the last days have come."""
        return self._key(f"threads:{connection}|{channel}")

    def moved(self, connection: str) -> str:
        """Threads that have to be read again, by when that was found."""
        return self._key(f"moved:{connection}")

    def told(self, connection: str) -> str:
        """What the mesh was told of the connection's pulls."""
        return self._key(f"told:{connection}")

    @property
    def flights(self) -> str:
        """Runs of the shard that Paragon is working at."""
        return self._key("flights")

    @property
    def sweeps(self) -> str:
        """Runs of which a sweep waits for an operator."""
        return self._key("sweeps")

    def flights_of(self, connection: str) -> str:
        """Runs of one connection that Paragon is working at."""
        return self._key(f"flights:{connection}")

    def run(self, run: str) -> str:
        """One requested window."""
        return self._key(f"run:{run}")

    def facts(self, run: str, attempt: int) -> str:
        """What the pages of one attempt have proved."""
        return self._key(f"facts:{run}:{attempt}")

    def runs(self, connection: str) -> str:
        """A connection's runs by time of request."""
        return self._key(f"runs:{connection}")


@dataclass(frozen=True, slots=True)
class Shards:
    """How organisations are spread over shards; the count is fixed at first start."""

    count: int

    def of(self, connection: str) -> Keys:
        """The keys of a connection's shard."""
        return Keys(shard_of(split_connection(connection)[1], self.count))

    def of_org(self, org: str) -> Keys:
        """The keys of an organisation's shard."""
        return Keys(shard_of(org, self.count))

    def all(self) -> list[Keys]:
        """The keys of every shard."""
        return [Keys(number) for number in range(self.count)]

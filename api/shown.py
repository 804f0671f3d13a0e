"""What the core routes answer. Times are integer microseconds, UTC; ages are seconds; nothing here holds content."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.shown_census import CensusShown
from api.shown_events import EventCounts
from api.shown_metadata import Drift
from api.shown_pauses import ChannelPauseShown, Paused
from api.shown_removals import RemovalShown
from pipeline.store import hold

Microseconds = Annotated[int, Field(examples=[1764000000000000])]
ReceiptId = Annotated[
    str, Field(description="What `GET /v1/receipts/{receipt}` knows more of.", examples=["0a" + "5e" * 16])
]
ChannelId = Annotated[str, Field(examples=["C0123456789"])]


class DirectoryShown(BaseModel):
    """When the team's channels and users were last read to their end; null: never."""

    channels_complete_at: Microseconds | None
    users_complete_at: Microseconds | None


class SlackShown(BaseModel):
    """What Paragon said of the user's Slack when it was last asked. Looking at a connection asks anew, now and then."""

    enabled: Annotated[bool, Field(description="Whether the user has connected Slack.")]
    credential_status: Annotated[str | None, Field(description="`VALID`, `INVALID`, `PENDING`; null: not said.")]
    team: Annotated[str | None, Field(description="The team that he has connected.", examples=["T0534672TWT"])]
    team_differs: Annotated[
        bool,
        Field(description="It is another team than the connection's: nothing is pulled until he reconnects the first "
                          "one, or the connection is disconnected and registered anew."),
    ]  # fmt: skip
    looked_at: Microseconds


class HoldShown(BaseModel):
    """The store came out of a backup, and delivers nothing until an operator confirms its lists."""

    model_config = ConfigDict(from_attributes=True)
    since: Microseconds
    backup: Annotated[Microseconds | None, Field(description="When the backup was made; null: not known.")]
    says: Annotated[str, Field(description="What it means and what to do.")] = hold.SAYS


Held = Annotated[HoldShown | None, Field(description="Null: the store is not held.")]


class ConnectionShown(BaseModel):
    """A connection: what it is, whether its credential works, how fresh its data is."""

    connection: Annotated[str, Field(description="`<user>/<org>`.", examples=["rob@example.com/end10843"])]
    team: Annotated[str | None, Field(description="The Slack team, fixed at first connect.", examples=["T0534672TWT"])]
    generation: Annotated[int, Field(description="Rises with each disconnect.", examples=[1])]
    list_version: Annotated[int, Field(description="The allowlist's ETag.", examples=[3])]
    registered_at: Microseconds
    directory: DirectoryShown
    metadata_at: Annotated[Microseconds | None, Field(description="When Paragon's metadata was last found as wanted.")]
    metadata_drift: Drift
    credential: Annotated[
        Literal["unknown", "accepted", "refused"],
        Field(description="By Paragon's word and by the newest pull; `refused`: the user has to reconnect."),
    ]
    slack: Annotated[SlackShown | None, Field(description="Null: not looked at yet.")]
    covered_until: Annotated[
        Microseconds | None, Field(description="Up to here every allowed channel is covered; null: not all are yet.")
    ]
    waiting: Annotated[int, Field(description="Callbacks that wait to be delivered.", examples=[0])]
    parked: Annotated[bool, Field(description="Whether they wait for the end of somebody's outage, or of a pause.")]
    paused: Annotated[
        list[str], Field(description="The pauses that hold it back: of everything, its organisation, itself.")
    ]
    paused_channels: Paused
    held: Held


class Registered(ConnectionShown):
    """The connection after it was registered."""

    receipt: ReceiptId


class Receipt(BaseModel):
    """The receipt of what a change causes in the mesh."""

    receipt: ReceiptId


class PauseShown(BaseModel):
    """A pause that was made or ended."""

    scope: Annotated[str, Field(examples=["org:end10843"])]
    connections: Annotated[int, Field(description="So many connections it holds, or held, back.")]


class PausesShown(BaseModel):
    """Scope → since when."""

    pauses: Annotated[dict[str, Microseconds], Field(examples=[{"org:end10843": 1764000000000000}])]


class PeopleShown(BaseModel):
    """Slack user id → when the person was erased."""

    erased: Annotated[dict[str, Microseconds], Field(examples=[{"U0123456789": 1764000000000000}])]


class ConnectToken(BaseModel):
    """For Paragon's Connect page."""

    token: Annotated[str, Field(description="A JWT; good for ten minutes more at least.", examples=["eyJhbGciOi…"])]


class Queued(BaseModel):
    """Kept; a worker sends it."""

    state: Literal["queued"] = "queued"


class ChannelShown(BaseModel):
    """A channel as the picker shows it."""

    model_config = ConfigDict(from_attributes=True)
    channel: ChannelId
    name: Annotated[str | None, Field(examples=["general"])]
    is_private: bool
    is_shared: bool
    is_ext_shared: bool
    is_archived: bool
    is_im: bool
    is_mpim: bool
    members: int | None
    allowed: Annotated[bool, Field(description="By this connection itself.")] = False
    paused: Paused = []


class ChannelsShown(BaseModel):
    """The channels that the connection can read, by name."""

    complete: Annotated[bool, Field(description="Whether the directory was read to its end.")]
    matching: Annotated[int, Field(description="So many are looked for, on this page and on the others.")]
    channels: list[ChannelShown]
    next: Annotated[ChannelId | None, Field(description="`after` of the next page; null: this is the last.")]


class AllowlistShown(BaseModel):
    """A connection's own list."""

    channels: list[ChannelId]
    version: Annotated[int, Field(description="The ETag, as a number.", examples=[3])]
    paused: Paused
    direct_messages: Annotated[
        list[ChannelId],
        Field(description="On it, but not read: direct messages that are not to be allowed.", examples=[[]]),
    ]


class AllowlistChanged(BaseModel):
    """What a PUT changed."""

    version: int
    added: list[ChannelId]
    removed: list[ChannelId]
    state: Annotated[
        Literal["done", "revoking"],
        Field(description="`revoking`: the retraction of what was removed has not reached the mesh yet."),
    ]
    receipt: Annotated[ReceiptId | None, Field(description="Null where nothing has to change in the mesh.")]


class ReceiptShown(BaseModel):
    """What became of a callback or an effect."""

    receipt: ReceiptId
    state: Literal["waiting", "delivered", "nothing_allowed", "dead", "purged"]
    kind: Annotated[str, Field(description="`messages`, `channels`, `users` or `effect`.", examples=["messages"])]
    connection: str
    at: Microseconds
    delivered: Annotated[int | None, Field(description="Records in the mesh; null while it waits.")] = None
    dropped: Annotated[
        dict[str, int] | None, Field(description="`<reason>.<model>` → records.", examples=[{"not_allowed.message": 2}])
    ] = None
    dead: int | None = None
    settled_at: Microseconds | None = None
    removal: Annotated[
        RemovalShown | None, Field(description="Of what revokes, disconnects or erases; null: of anything else.")
    ] = None


class DeadLetterShown(BaseModel):
    """A record that can never work. Without an id it stands for every record of its receipt."""

    dead_letter: str
    receipt: str
    connection: str
    reason: Annotated[str, Field(examples=["no_ts"])]
    at: Microseconds
    model: str | None = None
    id: str | None = None
    version: str | None = None
    channel: Annotated[str | None, Field(description="Whose page it was on; null: it did not say.")] = None


class DeadLettersShown(BaseModel):
    """The newest first."""

    dead_letters: list[DeadLetterShown]


class StatusShown(BaseModel):
    """The whole Sluice in numbers."""

    backlog: Annotated[int, Field(description="Entries that wait.")]
    oldest_waiting_age: Annotated[float | None, Field(description="Of the oldest of them; null: nothing waits.")]
    parked: Annotated[int, Field(description="Connections that wait for the end of somebody's outage, or of a pause.")]
    paused: Annotated[list[str], Field(description="What an operator has paused: `GET /v1/pauses`.")]
    paused_channels: Annotated[
        list[ChannelPauseShown], Field(description="Single channels that wait for somebody's word: the newest hundred.")
    ]
    held: Held
    events: Annotated[EventCounts, Field(description="What the core service is told: `GET /v1/events`.")]
    dead_letters: int
    connections: int
    delivery: Annotated[
        Literal["live", "shadow"],
        Field(description="`shadow`: nothing is sent; `shadow.<model>` counts what would be."),
    ]
    counters: Annotated[dict[str, int], Field(examples=[{"delivered.message": 42}])]
    census: Annotated[
        list[CensusShown], Field(description="What Slack sent that is not known here, or withheld: the most frequent.")
    ]


class Healthy(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    """Whether a callback would be kept now; each part says `ok`, or what is wrong with it."""

    ready: bool
    parts: Annotated[dict[str, str], Field(examples=[{"store": "full"}])]
    backlog: Annotated[int | None, Field(description="Entries that wait; null where the store cannot tell.")] = None
    oldest_waiting_age: Annotated[float | None, Field(description="Of the oldest of them, in seconds.")] = None
    held: Held = None


Meta = Annotated[dict[str, Any], Field(examples=[{"plan": "enterprise"}])]

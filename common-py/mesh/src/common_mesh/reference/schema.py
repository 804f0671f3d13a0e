"""The tables of the SQLite store, and how its connections are opened."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Engine,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    create_engine,
    event,
)

MATCHED = ("team", "channel", "lane", "author_id")
"""Fields that have a column of their own: a fence on them reads no JSON."""

UNBOUNDED = -1
"""`after` / `until` of a fence that has none: NULLs would not be equal in the unique constraint."""

metadata = MetaData()

spaces = Table(
    "spaces",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("org", Text, nullable=False),
    Column("module", Text, nullable=False),
    Column("model", Text, nullable=False),
    UniqueConstraint("org", "module", "model"),
)

records = Table(
    "records",
    metadata,
    Column("row", Integer, primary_key=True),
    Column("space", Integer, nullable=False),
    Column("id", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("dead", Boolean, nullable=False),
    Column("ts_us", BigInteger),
    *(Column(name, Text) for name in MATCHED),
    Column("content", Integer),
    UniqueConstraint("space", "id"),
)
# What a fence over a channel's window looks for.
Index("by_channel", records.c.space, records.c.channel, records.c.ts_us, sqlite_where=records.c.dead.is_(False))
Index("live", records.c.space, sqlite_where=records.c.dead.is_(False) & records.c.deleted.is_(False))

# Content is only ever appended here, and blanked in place when it is superseded, deleted or killed. Nothing is updated
# to something longer and no row is removed, because SQLite leaves copies of cells behind when it moves them between
# pages, `secure_delete` or not: what never moves leaves nothing. `VACUUM` gives the blank space back.
contents = Table(
    "contents",
    metadata,
    Column("row", Integer, primary_key=True),
    Column("body", Text),
)

fences = Table(
    "fences",
    metadata,
    Column("space", Integer, primary_key=True),
    Column("fields", Text, primary_key=True),
    Column("values", Text, primary_key=True),
    Column("after", BigInteger, primary_key=True),
    Column("until", BigInteger, primary_key=True),
    Column("below", Text, nullable=False),
    sqlite_with_rowid=False,
)

shapes = Table(
    "shapes",
    metadata,
    Column("space", Integer, primary_key=True),
    Column("fields", Text, primary_key=True),
    sqlite_with_rowid=False,
)

effects = Table(
    "effects",
    metadata,
    Column("sequence", Integer, primary_key=True),
    Column("space", Integer, nullable=False),
    Column("id", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Index("effects_by_space", "space", "sequence"),
    sqlite_autoincrement=True,
)

answers = Table(
    "answers",
    metadata,
    Column("space", Integer, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("outcomes", Text, nullable=False),
    Column("rejected", Text, nullable=False),
    Column("at", Integer, nullable=False),
    Index("answers_by_age", "at"),
)

PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",  # an acknowledged batch survives a power cut
    "secure_delete=ON",  # what a fence kills is overwritten, not only unlinked
    "busy_timeout=2000",
    "temp_store=MEMORY",  # nothing of a batch lies in a file beside the database
)


def open_engine(url: str, *, begin: str, connections: int) -> Engine:
    """An engine whose transactions start with `begin`: the driver's own are off, they would start too late."""
    engine = create_engine(
        url,
        pool_size=connections,
        max_overflow=0,
        connect_args={"check_same_thread": False, "isolation_level": None},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        for pragma in PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def start(connection: Any) -> None:
        connection.exec_driver_sql(begin)

    return engine

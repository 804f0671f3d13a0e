"""What somebody wants read again whole: one field a channel, from the wish to the fence that ends it."""

from collections.abc import Iterable, Sequence

import redis

from pipeline.models import Retraction
from pipeline.rules.rereading import Wish
from pipeline.rules.versions import epoch_digits, version
from pipeline.store import audit, counters, effects
from pipeline.store.client import ask, clock
from pipeline.store.keys import Keys, Shards
from pipeline.store.progress import Channel, wish, wished
from pipeline.store.scripts import Changes, now
from pipeline.store.vault import Vault


class Wishes:
    """The wishes of all connections. Their readings are planned and judged as all are (`store.rereads`)."""

    def __init__(self, client: redis.Redis, shards: Shards, vault: Vault) -> None:
        self._client, self._shards, self._vault = client, shards, vault

    def make(self, connection: str, channels: Iterable[Channel], since: int, *, by: str) -> list[str]:
        """Have what is covered of these channels from `since` on (microseconds) read again whole, with every thread.

        The channels that it concerns; of each a wish that was not fulfilled yet is forgotten.
        """
        keys, done = self._shards.of(connection), []
        for one in channels:
            if one.covered is None or one.covered.head <= max(since, one.covered.tail):
                continue
            coverage, (tail, head) = keys.coverage(connection), one.covered
            low = max(since, tail)
            # A thread of a message before what is read can have replies within it: then nobody reads all of these.
            whole = low <= int(one.fields.get("start", 0))
            changes = Changes().expect(1, "HEXISTS", coverage, f"{one.name}|since")
            write(changes, coverage, one.name, Wish(low, head, head, None if whole else 0))
            changes.do("ZADD", keys.due, now(), f"plan:{connection}")
            audit.note(changes, keys, "pull.again", connection, by, clock(self._client), channel=one.name, since=since)
            if changes.commit(self._client) == 0:
                done.append(one.name)
        return done

    def fulfil(self, connection: str, team: str, channels: Iterable[Channel]) -> None:
        """End what none of the readings showed, of channels that have no thread left that waits to be read.

        A reading knows the threads that it shows; one that is gone with its parent, or has lost its last reply, is
        known of the last days only. So what is left of older ones goes when nothing is left to be read.
        """
        keys = self._shards.of(connection)
        for one in channels:
            if one.deep is None or not one.deep.read:
                continue
            coverage = keys.coverage(connection)
            changes = Changes().expect(one.fields["deep"], "HGET", coverage, f"{one.name}|deep")
            changes.expect("", "HGET", coverage, f"{one.name}|th")
            write(changes, coverage, one.name, None)
            fence = _fence(team, one.name, one.deep)
            send(changes, self._client, self._vault, keys, connection, one.deep.below or 0, [fence])
            changes.commit(self._client)


def write(changes: Changes, coverage: str, channel: str, after: Wish | None) -> None:
    """A wish as it stands now; None: it is fulfilled, or nothing more can come of it."""
    if after is None:
        changes.do("HDEL", coverage, f"{channel}|deep")
    else:
        changes.do("HSET", coverage, f"{channel}|deep", wished(after))


def doubt(changes: Changes, coverage: str, channel: str, field: str) -> None:
    """A thread could not be read: what none of the readings showed may be there all the same."""
    before = wish(field)
    if before is not None and before.below:
        changes.expect(field, "HGET", coverage, f"{channel}|deep")
        write(changes, coverage, channel, before.in_doubt())


def send(
    changes: Changes,
    client: redis.Redis,
    vault: Vault,
    keys: Keys,
    connection: str,
    epoch: int,
    fences: Sequence[Retraction],
) -> None:
    """The fences go with the change: the mesh ends what was not seen, present or still on its way."""
    generation = int(ask(client, "HGET", keys.connection(connection), "generation") or 0)
    effects.append(changes, keys, vault, connection=connection, generation=generation, epoch=epoch, records=fences)
    counters.add(changes, keys, {"reread.fences": len(fences)})


def _fence(team: str, channel: str, read: Wish) -> Retraction:
    below = read.below or 0
    return Retraction(
        id=f"message:{team}:{channel}:again:{read.low}:{read.top}",
        version=version(below),
        target="message",
        match={"team": team, "channel": channel},
        after=read.low,
        until=read.top,
        below=epoch_digits(below),
        reason="reread",
    )

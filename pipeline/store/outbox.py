"""The operator's side of events: try whether they arrive, and open an address again that failed or was switched off."""

import redis

from pipeline.events import Ping
from pipeline.store import audit
from pipeline.store.client import clock
from pipeline.store.endpoint import Endpoint, State
from pipeline.store.events import Events
from pipeline.store.keys import Keys, Shards
from pipeline.store.scripts import Changes

_OF_NOBODY = Keys(0)
"""Where an event of no organisation waits."""


class Outbox:
    """Events to one address; "" where none is set."""

    def __init__(self, client: redis.Redis, shards: Shards, url: str) -> None:
        self._client, self._shards, self._url = client, shards, url
        self._events = Events(client, shards, wanted=bool(url))
        self._endpoint = Endpoint(client, url)

    def ping(self) -> str | None:
        """An event that means nothing; its id, None where no address is set."""
        changes = Changes()
        name = self._events.append(changes, _OF_NOBODY, Ping(at=clock(self._client)))
        if name is not None:
            changes.commit(self._client)
        return name

    def tries(self, ping: str) -> tuple[int, str] | None:
        """How often a ping was tried and why the last try failed; None: it was taken."""
        waiting = self._events.get(_OF_NOBODY, ping)
        return None if waiting is None else (waiting.tries, waiting.reason)

    def state(self) -> State | None:
        """How the address takes events; None where none is set."""
        return self._endpoint.state() if self._url else None

    def enable(self, *, by: str) -> bool:
        """Try it now, with all that waits. False where it was open anyway: what waits is sent now all the same."""
        shut, now = self._endpoint.enable(), clock(self._client)
        for keys in self._shards.all():
            self._events.hurry(keys, now)
        changes = Changes()
        audit.note(changes, _OF_NOBODY, "events.enabled", "", by, now)
        changes.commit(self._client)
        return shut

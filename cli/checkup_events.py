"""What `./sluice doctor` says of outgoing events: whether anybody is told, how the address takes them, what waits."""

from collections.abc import Iterator

from cli.checkup import Line
from cli.checkup_servers import PATIENCE
from pipeline.errors import Unavailable
from pipeline.store import events_shown
from pipeline.store.client import clock, connect
from pipeline.store.keys import Shards
from pipeline.store.outbox import Outbox
from settings import Settings


def events(settings: Settings) -> Iterator[Line]:
    """One line. Nothing is sent and nothing is written: `./sluice events test` sends a ping."""
    if not settings.events_url:
        yield Line("events", "ok", "the core service is told nothing, since SLUICE_EVENTS_URL is not set")
        return
    if not settings.store_url:
        return  # the store's own line says so
    shards = Shards(settings.shards)
    with connect(settings.store_url, timeout=PATIENCE) as client:
        try:
            now = clock(client)
            state, found = Outbox(client, shards, settings.events_url).state(), events_shown.counts(client, shards, now)
        except Unavailable:
            return  # and this, too
    says = f"{found.waiting} wait, {found.dead} are dead"
    word = state.word(now) if state else "open"
    if state and word != "open":
        how = "wants no more (410)" if word == "disabled" else f"fails ({state.reason}, {state.failures} in a row)"
        do = "Mend the receiver, then: ./sluice events enable."
        yield Line("events", "fail" if word == "disabled" else "warn", f"the core service {how}; {says}", do)
    elif found.dead:
        yield Line("events", "warn", says, "Look at them: ./sluice events dead. Then resend or drop them.")
    else:
        yield Line("events", "ok", f"the core service takes them; {says}")

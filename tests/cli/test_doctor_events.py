"""The doctor's line on outgoing events."""

import redis

from cli import checkup_events
from pipeline.store.dead_events import DeadEvents
from pipeline.store.endpoint import Endpoint
from pipeline.store.events import Events
from pipeline.store.keys import Keys, Shards
from pipeline.store.outbox import Outbox
from settings import Settings


def test_events_say_how_the_core_service_takes_them_and_what_is_left(store: str) -> None:
    url = "https://core.test/events"
    chosen = Settings(store_url=store, events_url=url)

    def said(of: Settings = chosen) -> tuple[str, str]:
        (line,) = checkup_events.events(of)
        assert line.name == "events"
        assert (line.level == "ok") != bool(line.do)
        return line.level, line.says

    assert said(Settings(store_url=store))[0] == "ok"
    with redis.Redis.from_url(store) as client:
        assert said() == ("ok", "the core service takes them; 0 wait, 0 are dead")
        Outbox(client, Shards(16), url).ping()
        assert "1 wait" in said()[1]
        Endpoint(client, url).failed("status_503", None)
        assert said() == ("warn", "the core service fails (status_503, 1 in a row); 1 wait, 0 are dead")
        Endpoint(client, url).disable("status_410")
        assert said()[0] == "fail"
        Endpoint(client, url).enable()
        events, keys = Events(client, Shards(16), wanted=True), Keys(0)
        waiting = events.next(keys, 2**60)
        assert waiting is not None
        DeadEvents(client, Shards(16)).bury(keys, waiting, waiting)
        assert said() == ("warn", "0 wait, 1 are dead")
    away = Settings(store_url="redis://127.0.0.1:1/0", events_url=url)
    assert list(checkup_events.events(away)) == [], "the store's own line says it"

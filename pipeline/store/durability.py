"""What the store must be before a 202 may mean "kept": checked at the start of every process that writes to it."""

import logging

import redis

from pipeline.errors import Unavailable
from pipeline.store import hold, layout
from pipeline.store.client import DISTRUSTED, ask

_log = logging.getLogger(__name__)
_WANTED = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"}


class NotDurableError(Exception):
    """The store would lose what was acknowledged, or belongs to another layout; the text says what to do."""


def check(client: redis.Redis, shards: int, *, asserted: bool) -> None:
    """Raise `NotDurableError` unless the store survives and was laid out for this many shards.

    `asserted`: somebody vouches for a store that refuses CONFIG.
    """
    try:
        if not asserted:
            check_config(client)
        layout.bring_up(client, shards)
    except Unavailable as outage:
        if outage.what != DISTRUSTED:
            raise
        raise NotDurableError(
            "The store's certificate is not trusted, or made out to another name: name its CA at the end of "
            "SLUICE_STORE_URL (?ssl_ca_certs=/path/to/ca.pem), and call the host as the certificate does."
        ) from outage
    except layout.LayoutError as error:
        raise NotDurableError(str(error)) from error
    if found := hold.found(client):
        _log.error("store.held", extra={"since": found.since, "backup": found.backup})


def check_config(client: redis.Redis) -> None:
    """Raise `NotDurableError` unless the server is configured to survive, and does. Writes nothing."""
    try:
        config = {name: _value(client, name) for name in _WANTED}
    except redis.ResponseError as error:
        raise NotDurableError(
            "The store does not answer CONFIG GET: check by hand that it runs with appendonly yes, appendfsync always "
            "and maxmemory-policy noeviction, then set SLUICE_STORE_DURABILITY=asserted."
        ) from error
    wrong = [f"{name} {wanted}" for name, wanted in _WANTED.items() if config[name] != wanted]
    if wrong:
        raise NotDurableError(f"The store would lose acknowledged data: set {', '.join(wrong)} and start again.")
    info = ask(client, "INFO", "persistence")
    if info.get("aof_last_write_status", "ok") != "ok":
        raise NotDurableError("The store cannot write its append-only file: free its disk, then start again.")


def _value(client: redis.Redis, name: str) -> str:
    answer = ask(client, "CONFIG", "GET", name)
    pairs = answer.items() if isinstance(answer, dict) else zip(answer[::2], answer[1::2], strict=True)
    found = {_text(key): _text(value) for key, value in pairs}
    return found.get(name, "")


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value

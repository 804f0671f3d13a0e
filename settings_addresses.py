"""Which addresses the settings take: each function gives its address back, or raises ValueError with the end of a
sentence that shows no value. "" is unset.
"""

import re
from typing import Final
from urllib.parse import urlsplit

_BIND: Final = re.compile(r"[^\s:]+:\d{1,5}|\[[0-9a-fA-F:]+\]:\d{1,5}")
_WEB: Final = re.compile(r"https?://[^\s/?#@]+(/[^\s?#]*)?")
_EVENTS: Final = re.compile(r"(https://[^\s/?#@]+|http://(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?)([/?][^\s#]*)?")
_STORES: Final = ("redis://", "rediss://", "unix://")
_BROKERS: Final = ("redis://", "rediss://", "sentinel://", "sentinels://", "amqp://", "amqps://")
_HIGHEST_PORT: Final = 65_535


def bind(value: str) -> str:
    """Where a server listens."""
    if not _BIND.fullmatch(value) or int(value.rpartition(":")[2]) > _HIGHEST_PORT:
        raise ValueError("must be <host>:<port>")
    return value


def web(value: str) -> str:
    """One that routes are put behind: a query or a fragment would swallow them."""
    if value and not (_WEB.fullmatch(value) and _has_port(value)):
        raise ValueError("must be http(s)://<host>, with a port and a path where needed, and nothing behind them")
    return value


def events(value: str) -> str:
    """The core service's own door. A query is theirs to use; a name and password would be shown wherever it is."""
    if value and not (_EVENTS.fullmatch(value) and _has_port(value)):
        raise ValueError("must be https://<host>, with a port, a path and a query where needed; http on loopback")
    return value


def store(value: str) -> str:
    """The server that keeps what a 202 promised."""
    if value and not (value.startswith(_STORES) and _has_port(value)):
        raise ValueError("must be redis://<host>:<port>/<database>, rediss:// for TLS, or unix://<path>")
    return value


def broker(value: str) -> str:
    """Celery's broker."""
    if value and not value.startswith(_BROKERS):
        raise ValueError(f"must begin with one of {', '.join(_BROKERS)}")
    if value.startswith(("sentinel://", "sentinels://")) and not re.search(r"[?&]master_name=[^&]", value):
        raise ValueError("must end in ?master_name=<the name that the Sentinels know the broker by>")
    return value


def _has_port(url: str) -> bool:
    """Whether what stands for a port in an address, if anything does, is one."""
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False

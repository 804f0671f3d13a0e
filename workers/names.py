"""All that the API needs to know of the workers: task names, and how to send by name."""

from typing import Any
from urllib.parse import urlsplit

import settings_tls
from workers.sentinel import hosts_and_options

DRAIN = "sluice.drain"
DISPATCH = "sluice.dispatch"
TRIGGER = "sluice.trigger"
PATCH_METADATA = "sluice.patch_metadata"
LOOK = "sluice.look"
TELL = "sluice.tell"
UPKEEP = "sluice.upkeep"

QUEUE = "sluice"


def sending(broker_url: str) -> dict[str, Any]:
    """What every sender wants: JSON, no results, no retries, and a publish that cannot hang (facts.md, 3)."""
    plain, options = _broker(broker_url)
    return {
        "broker_url": plain,
        "broker_use_ssl": _tls(broker_url),
        "broker_transport_options": options,
        "broker_connection_timeout": 2,
        "task_serializer": "json",
        "accept_content": ["json"],
        "task_ignore_result": True,
        "task_publish_retry": False,
        "task_default_queue": QUEUE,
    }


def _broker(url: str) -> tuple[str, dict[str, Any]]:
    """The address as Celery wants it, and the transport's options: each transport has its own."""
    plain, files = settings_tls.split(url)
    if url.startswith("amqp"):
        return plain, {}
    patience = {"socket_timeout": 3, "socket_connect_timeout": 2, "socket_keepalive": True}
    if not url.startswith("sentinel"):
        return plain, patience
    secure = {"ssl": True} | settings_tls.of_redis(files) if url.startswith(settings_tls.SCHEMES) else {}
    plain, options = hosts_and_options(plain.replace("sentinels://", "sentinel://", 1), patience | secure)
    return plain, patience | options


def _tls(url: str) -> dict[str, Any] | bool:
    """What is verified, said in full: kombu's own default for `rediss://` is nothing, and for `amqps://` no name."""
    if not url.startswith(settings_tls.SCHEMES):
        return False
    files = settings_tls.split(url)[1]
    if url.startswith("amqp"):
        return settings_tls.of_amqp(files, urlsplit(url).hostname)
    return settings_tls.of_redis(files)

"""All that the API needs to know of the workers: task names, and how to send by name."""

from typing import Any

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
    broker_url, options = _broker(broker_url)
    return {
        "broker_url": broker_url,
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
    if url.startswith("amqp"):
        return url, {}
    patience = {"socket_timeout": 3, "socket_connect_timeout": 2, "socket_keepalive": True}
    if not url.startswith("sentinel"):
        return url, patience
    url, options = hosts_and_options(url, patience)
    return url, patience | options

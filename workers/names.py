"""All that the API needs to know of the workers: task names, and how to send by name."""

from typing import Any

DRAIN = "sluice.drain"
DISPATCH = "sluice.dispatch"
TRIGGER = "sluice.trigger"
PATCH_METADATA = "sluice.patch_metadata"
UPKEEP = "sluice.upkeep"

QUEUE = "sluice"


def sending(broker_url: str) -> dict[str, Any]:
    """What every sender wants: JSON, no results, no retries, and a publish that cannot hang (facts.md, 3)."""
    options = {"socket_timeout": 3, "socket_connect_timeout": 2, "socket_keepalive": True}
    return {
        "broker_url": broker_url,
        "broker_transport_options": options if broker_url.startswith("redis") else {},
        "broker_connection_timeout": 2,
        "task_serializer": "json",
        "accept_content": ["json"],
        "task_ignore_result": True,
        "task_publish_retry": False,
        "task_default_queue": QUEUE,
    }

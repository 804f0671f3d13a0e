"""How a worker takes a message off the queue: only one that says what ours say, and nothing besides.

Celery trusts its broker: a message whose body is no triple ends the whole worker, and comes back to end the next one;
a forged time limit kills a drain in the middle of a batch, a forged ETA is held in memory for as long as it likes.
"""

from collections.abc import Callable
from typing import Any

from celery import Celery, Task
from celery.exceptions import InvalidTaskError
from celery.worker.strategy import default


class StrictTask(Task):
    """A task whose messages are looked at before anything is made of them."""

    Strategy = "workers.strategy:strict"


def strict(task: Any, app: Celery, consumer: Any, **options: Any) -> Callable[..., Any]:
    """Celery's own strategy behind a check: what it refuses is logged by Celery as invalid, and gone."""
    take: Callable[..., Any] = default(task, app, consumer, **options)
    # A sender that knows the task, as beat does, sends the task's own limits along.
    limits = (None, [None, None], [task.time_limit, task.soft_time_limit])

    def take_checked(message: Any, body: Any, *callbacks: Any, **more: Any) -> Any:
        if message.headers.get("timelimit") not in limits or not well_formed(message.headers, message.payload):
            raise InvalidTaskError("not a message of ours")
        return take(message, body, *callbacks, **more)

    return take_checked


def well_formed(headers: Any, payload: Any) -> bool:
    """Whether a message holds one number or word, an id, and neither an ETA nor anything to follow."""
    match payload:
        case [[int() | str()], dict(kwargs), dict(embedded)] if not kwargs and not any(embedded.values()):
            pass
        case _:
            return False
    if not isinstance(headers.get("id"), str) or any(headers.get(name) for name in ("eta", "shadow", "retries")):
        return False
    return all(isinstance(headers.get(name, ""), str | None) for name in ("expires", "root_id", "parent_id"))

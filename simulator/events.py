"""The core service's door for Sluice's events, as docs/events.md describes one: verified, taken once, kept a while.

POST /core/events       what Sluice sends
GET  /app/events        what came in, as a page
GET  /_sim/events       the same for programs, the newest last
POST /_sim/events/fail  `{status, times, retry_after?}`: refuse the next ones, to see what Sluice makes of it
"""

import time
from collections import Counter, deque
from dataclasses import dataclass, field
from html import escape
from typing import Any, Final

from standardwebhooks import Webhook, WebhookVerificationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simulator.answers import answer, object_of
from simulator.config import SimulatorConfig
from simulator.forms import guarded
from simulator.pages import note, page

Json = dict[str, Any]
KEPT: Final = 500
_LIMIT: Final = 64 * 1024


@dataclass
class EventsDoor:
    """What the played core service was told. `counts`: taken, repeated, refused, failed."""

    config: SimulatorConfig
    events: deque[Json] = field(default_factory=lambda: deque(maxlen=KEPT))
    counts: Counter[str] = field(default_factory=Counter)
    failing: deque[tuple[int, str | None]] = field(default_factory=deque)

    def routes(self) -> list[Route]:
        """All four."""
        return [
            Route("/core/events", self.take, methods=["POST"]),
            Route("/app/events", guarded(self.show), methods=["GET"]),
            Route("/_sim/events", self.listed, methods=["GET"]),
            Route("/_sim/events/fail", self.fail, methods=["POST"]),
        ]

    async def take(self, request: Request) -> Response:
        """204 for what is signed, also where it was here before; 401 for anything else."""
        secret = self.config.event_secret.get_secret_value()
        if not secret:
            return answer({"error": "this simulator was given no secret for events"}, 503)
        if self.failing:
            status, retry_after = self.failing.popleft()
            self.counts["failed"] += 1
            return Response(status_code=status, headers={"Retry-After": retry_after} if retry_after else None)
        body = await _body(request)
        try:
            event = Webhook(secret).verify(body or b"", dict(request.headers))
        except (WebhookVerificationError, ValueError):  # ValueError: what is no base64, no UTF-8, no JSON
            self.counts["refused"] += 1
            return answer({"error": "not signed"}, 401)
        self._keep(request.headers["webhook-id"], event)
        return Response(status_code=204)

    def _keep(self, name: str, event: Json) -> None:
        if any(one["id"] == name for one in self.events):
            self.counts["repeated"] += 1
            return
        self.counts["taken"] += 1
        self.events.append({"id": name, "received": time.time(), **event})

    async def listed(self, request: Request) -> Response:
        """`{taken, repeated, refused, failed, events}`."""
        names = ("taken", "repeated", "refused", "failed")
        return answer({**dict.fromkeys(names, 0), **self.counts, "events": list(self.events)})

    async def fail(self, request: Request) -> Response:
        """Refuse the next `times` events with this status; 0 times takes them again."""
        body = await object_of(request) or {}
        status, times, wait = body.get("status", 503), body.get("times", 1), body.get("retry_after")
        if not (isinstance(status, int) and 300 <= status <= 599 and isinstance(times, int) and 0 <= times <= 10_000):
            return answer({"error": "status must be 300 to 599, times 0 to 10000"}, 400)
        self.failing = deque([(status, None if wait is None else str(int(wait)))] * times)
        return answer({"failing": len(self.failing)})

    async def show(self, request: Request) -> Response:
        """The newest first."""
        return page("What Sluice told", _ABOUT, _table(list(self.events)[:-51:-1]), _BACK, step=2)


async def _body(request: Request) -> bytes | None:
    """None where it is too long."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > _LIMIT:
            return None
    return bytes(body)


_ABOUT: Final = note(
    "Sluice tells the <strong>core service</strong> by itself what happens: signed events, as Standard Webhooks has "
    "them. This page shows what came in, verified with the library."
)
_BACK: Final = '<nav aria-label="Go on"><a href="/app/events">Look again</a> <a href="/app">Connect Slack</a></nav>'


def _table(events: list[Json]) -> str:
    if not events:
        return '<p role="status">Nothing has come in yet.</p>'
    head = "".join(f'<th scope="col">{name}</th>' for name in ("Event", "Connection", "When"))
    rows = "".join(map(_row, events))
    caption = f"The newest {len(events)}" if len(events) > 1 else "One event"
    return f"<table><caption>{caption}</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _row(event: Json) -> str:
    about = str(event["data"].get("connection") or "")
    return (
        f"<tr><td>{escape(str(event['type']))}<br><code>{escape(event['id'])}</code></td>"
        f"<td>{escape(about)}</td><td>{escape(str(event['timestamp'])[:19].replace('T', ' '))}</td></tr>"
    )

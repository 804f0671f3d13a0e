"""A stand-in for the core service's own pages, below /app: its user asks for Slack, its server asks Sluice.

GET  /app             who connects          the core service would know it from its login
POST /app/connect     register, mint        on the server: the core token never reaches the browser
GET  /app/connection  what came of it       read from Sluice's API, nowhere else
"""

import asyncio
import time
from dataclasses import dataclass
from html import escape
from urllib.parse import quote, urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simulator.config import SimulatorConfig
from simulator.core_api import CoreApi, CoreApiError, Json
from simulator.forms import fields, guarded
from simulator.pages import error, facts, failure, form, hidden, note, page, text

EXAMPLE = ("rob@example.com", "org001")
UNABLE = (
    "This simulator was given no token of Sluice's core API, so it cannot play the core service: start it by "
    "./sluice up without core tokens of your own, or with --core-api and --core-token-env."
)


@dataclass(frozen=True)
class CoreService:
    """The three pages. `patience` is how many seconds the last one waits for a directory to be read."""

    config: SimulatorConfig
    api: CoreApi
    patience: float = 4.0

    def routes(self) -> list[Route]:
        """Everything below /app."""
        return [
            Route("/app", guarded(self.start), methods=["GET"]),
            Route("/app/connect", guarded(self.connect), methods=["POST"]),
            Route("/app/connection", guarded(self.show), methods=["GET"]),
        ]

    async def start(self, request: Request) -> Response:
        """The form: who connects."""
        return self._form(*EXAMPLE)

    async def connect(self, request: Request) -> Response:
        """Register and mint, then the button that hands the token to the portal."""
        sent = await fields(request)
        user, org = sent.get("user", "").strip(), sent.get("org", "").strip()
        if not user or not org or "/" in org:
            return self._form(user, org, "A user and an organisation are wanted; the organisation has no slash.", 422)
        if not self._able():
            return self._form(user, org)
        try:
            token = await self.api.mint(f"{user}/{org}")
        except CoreApiError as problem:
            return self._form(user, org, str(problem), _passed_on(problem, 404, 422))
        return page("Ready to connect Slack", *_ready(self.config.project_id, f"{user}/{org}", token))

    async def show(self, request: Request) -> Response:
        """What Sluice knows; with `fresh` it waits a little, since the workflows have just been started."""
        connection = request.query_params.get("connection", "")
        if not self._able():
            return failure("What happened", UNABLE, step=2, status=503)
        if not all(connection.rpartition("/")[::2]):
            return failure("What happened", "No connection is named.", step=2)
        try:
            look = await self._waited(connection, self.patience if "fresh" in request.query_params else 0)
            channels = await self.api.channels(connection)
        except CoreApiError as problem:
            return failure("What happened", str(problem), step=2, status=_passed_on(problem, 404))
        return page("What happened", *_happened(connection, look, channels, self.config.core_api), step=2)

    async def _waited(self, connection: str, seconds: float) -> Json:
        deadline = time.monotonic() + seconds
        while True:
            look = await self.api.look(connection)
            if not _reading(look) or time.monotonic() >= deadline:
                return look
            await asyncio.sleep(0.1)

    def _able(self) -> bool:
        return bool(self.config.core_api and self.config.core_token.get_secret_value())

    def _form(self, user: str, org: str, wrong: str = "", status: int = 200) -> Response:
        if not self._able():
            return page("Connect Slack to your app", _ABOUT, error(UNABLE), status=503)
        who = text("user", "User", user, "Your own id of the person; an e-mail address will do.")
        what = text(
            "org",
            "Organisation",
            org,
            "Your own id of the customer. What ./sluice up gives this page is for org001 only.",
        )
        asked = form("/app/connect", "Register and get a token", who, what)
        return page("Connect Slack to your app", _ABOUT, error(wrong) if wrong else "", asked, status=status)


_ABOUT = note(
    "This page plays the <strong>core service</strong>, your own product. It has no login: it runs on this machine, "
    "for development. The button calls Sluice from the server, "
    "<code>PUT …/connections/{user}</code> and <code>POST …/token</code>."
)


def _ready(project: str, connection: str, token: str) -> tuple[str, ...]:
    handed = form("/connect", "Open the Connect portal", hidden("project", project), hidden("token", token))
    return (
        f"<p><strong>{escape(connection)}</strong> is registered, and Sluice minted a Paragon User Token for it. "
        "The token is all that the browser gets; it speaks for this one user, for an hour at most.</p>",
        note(
            "With a real Paragon this button is Paragon's own SDK: "
            "<code>paragon.authenticate(projectId, token)</code>, then <code>paragon.connect(&quot;slack&quot;)</code>."
        ),
        handed,
    )


def _happened(connection: str, look: Json, channels: list[Json], api: str) -> tuple[str, ...]:
    directory = look.get("directory") or {}
    known = facts(
        Connection=f"<strong>{escape(connection)}</strong>",
        Slack_team=escape(str(look.get("team") or "not known yet")),
        Credential=escape(str(look.get("credential") or "unknown")),
        Channels_read=_when(directory.get("channels_complete_at")),
        Users_read=_when(directory.get("users_complete_at")),
    )
    return known, _table(channels), _next(connection, look, api)


def _table(channels: list[Json]) -> str:
    if not channels:
        return '<p role="status">No channel has been read yet.</p>'
    head = "".join(f'<th scope="col">{name}</th>' for name in ("Channel", "Kind", "Allowed"))
    caption = f"{len(channels)} channels read; messages flow only from those that are allowed"
    body = "".join(map(_row, channels))
    return f"<table><caption>{caption}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _row(channel: Json) -> str:
    name, ident = str(channel.get("name") or "no name"), str(channel.get("channel"))
    kind, allowed = "private" if channel.get("is_private") else "public", "yes" if channel.get("allowed") else "no"
    return f"<tr><td>{escape(name)}<br><code>{escape(ident)}</code></td><td>{kind}</td><td>{allowed}</td></tr>"


def _next(connection: str, look: Json, api: str) -> str:
    again = f"/app/connection?connection={quote(connection, safe='')}&amp;fresh=1"
    links = [f'<a href="{again}">Look again</a>']
    if urlsplit(api).scheme in ("http", "https"):
        links.append(f'<a href="{escape(api)}/docs">Sluice\'s API</a>')
    links += ['<a href="/_sim/status">What ran</a>', '<a href="/_sim/ledger">What was posted</a>',
              '<a href="/app/events">What Sluice told</a>', '<a href="/app">Another connection</a>']  # fmt: skip
    user, _, org = connection.rpartition("/")
    route = f"/v1/orgs/{quote(org, safe='')}/connections/{quote(user, safe='')}/allowlist"
    told = f"<p>Next, an admin allows channels: <code>PUT {escape(route)}</code>.</p>"
    waits = '<p role="status">Paragon\'s workflows are still reading, or Slack is not connected yet.</p>'
    return f"{waits if _reading(look) else ''}<h2>Go on</h2>{told}<nav aria-label='Go on'>{' '.join(links)}</nav>"


def _passed_on(problem: CoreApiError, *own: int) -> int:
    """A status that is the user's own doing as it is; all else lies behind this page."""
    return problem.status if problem.status in own else 502


def _reading(look: Json) -> bool:
    return None in ((look.get("directory") or {"": None}).values())


def _when(us: object) -> str:
    if not isinstance(us, int):
        return "not yet"
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(us // 1_000_000))

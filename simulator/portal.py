"""A stand-in for Paragon's Connect portal, below /connect: it believes a Paragon User Token and nothing else.

The token comes in a form's field, as it comes to Paragon's SDK in a variable: never in an address, which is logged.
"""

import asyncio
from dataclasses import dataclass
from html import escape
from urllib.parse import quote

import jwt
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from simulator.config import SimulatorConfig
from simulator.forms import Fields, FormRefused, fields, guarded
from simulator.pages import HEADERS, facts, failure, form, hidden, note, page
from simulator.slack.workspace import Workspace
from simulator.tokens import UserTokens
from simulator.workflows import Engine
from simulator.workspaces import Workspaces

STAND_IN = note(
    "This page plays <strong>Paragon's Connect portal</strong>, which is Paragon's own and opens over your page. "
    "The real one would now ask Slack for consent; here Slack always agrees."
)


class TokenRefused(Exception):
    """The sentence for a token that is not believed. It never quotes the token."""


@dataclass
class Portal:
    """The portal of one project."""

    config: SimulatorConfig
    workspaces: Workspaces
    engine: Engine

    def __post_init__(self) -> None:
        self._tokens = UserTokens(self.config.public_key)

    def routes(self) -> list[Route]:
        """Everything below /connect."""
        return [
            Route("/connect", guarded(self.empty), methods=["GET"]),
            Route("/connect", guarded(self.open), methods=["POST"]),
            Route("/connect/slack", guarded(self.connect), methods=["POST"]),
        ]

    async def empty(self, request: Request) -> Response:
        """Nobody: a token can be pasted, which is of use where no core service is played."""
        area = '<label for="token">Paragon User Token</label><textarea id="token" name="token" rows="5" required '
        area += 'autocomplete="off" spellcheck="false"></textarea>'
        asked = form("/connect", "Open the portal", hidden("project", self.config.project_id), area)
        return page(
            "Connect portal",
            STAND_IN,
            '<p>No user came along. <a href="/app">Begin in your app</a>, or paste what '
            "<code>POST …/connections/{user}/token</code> answered.</p>",
            asked,
            step=1,
        )

    async def open(self, request: Request) -> Response:
        """Who the token speaks for, and the button."""
        sent = await fields(request)
        try:
            user = self._user(sent)
        except TokenRefused as refused:
            return failure("Connect portal", str(refused), step=1, status=401)
        workspace = self.workspaces.of(user)
        shown = facts(User=f"<strong>{escape(user)}</strong>", Project=escape(self.config.project_id),
                      Slack=_state(workspace))  # fmt: skip
        button = "Connect Slack" if workspace is None else "Connect Slack again"
        handed = (hidden("project", sent["project"]), hidden("token", sent["token"]))
        return page("Connect portal", STAND_IN, shown, form("/connect/slack", button, *handed), step=1)

    async def connect(self, request: Request) -> Response:
        """Connect the token's user, start the directory workflows, and go back to the app."""
        try:
            user = self._user(await fields(request))
        except TokenRefused as refused:
            return failure("Connect portal", str(refused), step=1, status=401)
        workspace = await asyncio.to_thread(self.workspaces.connect, user)
        if self.config.self_start:
            self.engine.start_directory("channels", user, workspace)
            self.engine.start_directory("users", user, workspace)
        back = f"/app/connection?connection={quote(user, safe='')}&fresh=1"
        return RedirectResponse(back, 303, HEADERS)

    def _user(self, sent: Fields) -> str:
        """The token's user. Raises `TokenRefused`, and `FormRefused` where a field is missing."""
        token, project = sent.get("token", "").strip(), sent.get("project", "")
        if not token or not project:
            raise FormRefused("The portal was opened without a project or without a token.", 400)
        if project != self.config.project_id:
            raise TokenRefused("There is no such Paragon project here.")
        user = self._tokens.subject(f"Bearer {token}")
        if user is None:
            raise TokenRefused("The Paragon User Token is not valid: it has ended, or another key signed it.")
        audience = jwt.decode(token, options={"verify_signature": False}).get("aud")
        named = [audience] if isinstance(audience, str) else audience or []
        if named and f"useparagon.com/{project}" not in named:
            raise TokenRefused("The Paragon User Token is for another project.")
        return user


def _state(workspace: Workspace | None) -> str:
    return "not connected" if workspace is None else f"connected to {escape(workspace.name)} ({workspace.team})"

"""Paragon's HTTP surface: the user, his metadata, triggers and the proxy to Slack."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from simulator.answers import answer, dump, object_of
from simulator.config import SimulatorConfig
from simulator.happenings import Happenings
from simulator.slack import files
from simulator.slack.api import SlackApi, arguments
from simulator.slack.limit import Limit
from simulator.slack.workspace import Workspace
from simulator.tokens import UserTokens
from simulator.triggers import Triggers
from simulator.workflows import Engine
from simulator.workspaces import Workspaces

Json = dict[str, Any]

RAW = "x-paragon-use-raw-response"
VERBS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
NOT_ENABLED = "Integration is not enabled for this user"
_OF_SLACK = {"x-slack-req-id": "simulated"}


@dataclass
class Paragon:
    """One project. `meta` keeps each user's metadata; a PATCH replaces it, the harsher of the two readings."""

    config: SimulatorConfig
    workspaces: Workspaces
    engine: Engine
    slack: SlackApi
    triggers: Triggers
    happenings: Happenings
    limit: Limit = field(default_factory=Limit)
    meta: dict[str, Json] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._tokens = UserTokens(self.config.public_key)

    def routes(self) -> list[Route]:
        """Everything below /projects."""
        base = "/projects/{project}/sdk"
        return [
            Route(f"{base}/me", self.me, methods=["GET"]),
            Route(f"{base}/me", self.patch_me, methods=["PATCH"]),
            Route(f"{base}/triggers/{{workflow}}", self.trigger, methods=["POST"]),
            Route(f"{base}/proxy/slack/{{path:path}}", self.proxy, methods=VERBS),
        ]

    async def me(self, request: Request) -> Response:
        """`{authenticated, userId, meta, integrations}`; a bad token is an answer, not an error."""
        user = self._user(request)
        return answer({"authenticated": False} if user is None else self._shown(user))

    async def patch_me(self, request: Request) -> Response:
        """Replace the user's metadata by `{"meta": {...}}`."""
        user = self._user(request)
        if user is None:
            return refusal(401, "Invalid Paragon User Token")
        body = await object_of(request)
        if body is None or not isinstance(body.get("meta"), dict):
            return refusal(400, ["meta must be an object"])
        self.meta[user] = body["meta"]
        return answer(self._shown(user))

    async def trigger(self, request: Request) -> Response:
        """Start a workflow: 202 at once, whatever becomes of it."""
        user = self._user(request)
        if user is None:
            return refusal(401, "Invalid Paragon User Token")
        start = self._workflows().get(request.path_params["workflow"])
        if start is None:
            return refusal(404, "Workflow not found")
        body = await object_of(request)
        if body is None:
            return refusal(400, ["body must be a JSON object"])
        if (refused := self._refused()) is not None:
            return refused
        workspace = self.workspaces.of(user)
        if workspace is None:
            return refusal(400, NOT_ENABLED)
        self.triggers.note(user, request.path_params["workflow"], body)
        self.happenings.triggered(user, body)
        start(user, workspace, body)
        return answer({}, 202)

    async def proxy(self, request: Request) -> Response:
        """Call Slack with the user's credential; wrapped in `{"output": ...}` unless asked raw."""
        user = self._user(request)
        if user is None:
            return refusal(401, "Invalid Paragon User Token")
        if (refused := self._refused()) is not None:
            return refused
        workspace = self.workspaces.of(user)
        if workspace is None:
            return refusal(400, NOT_ENABLED)
        raw, path = RAW in request.headers, request.path_params["path"].strip("/")
        if (wait := self.limit.take()) is not None:
            return _limited(wait, raw=raw)
        if path.startswith(f"{files.FOLDER}/"):
            return _file(files.find(workspace, path), raw=raw)
        output = self.slack.call(path.removeprefix("api/"), workspace.token, await arguments(request))
        if not raw:
            return answer({"output": output})
        headers = _OF_SLACK | {"x-oauth-scopes": "channels:history,groups:history,users:read"}
        return Response(dump(output), 200, headers, media_type="application/json; charset=utf-8")

    def _user(self, request: Request) -> str | None:
        if request.path_params["project"] != self.config.project_id:
            return None
        return self._tokens.subject(request.headers.get("authorization", ""))

    def _refused(self) -> Response | None:
        """What nobody gets past while the integration is disabled or its credential does not hold."""
        faults = self.happenings.faults
        if faults.holds("disabled"):
            faults.struck("disabled")
            return refusal(400, NOT_ENABLED)
        if faults.holds("credential"):
            faults.struck("credential")
            return refusal(400, "The credential is not valid", of_slack=True)
        return None

    def _workflows(self) -> dict[str, Callable[[str, Workspace, Json], None]]:
        return {
            self.config.workflow_messages: self.engine.start_messages,
            self.config.workflow_channels: partial(self.engine.start_directory, "channels"),
            self.config.workflow_users: partial(self.engine.start_directory, "users"),
        }

    def _shown(self, user: str) -> Json:
        return {
            "authenticated": True,
            "userId": user,
            "meta": self.meta.get(user, {}),
            "integrations": {"slack": self._integration(self.workspaces.of(user))},
        }

    def _integration(self, workspace: Workspace | None) -> Json:
        faults = self.happenings.faults
        for state in faults.present & {"credential", "disabled"}:
            faults.struck(state)  # somebody has seen it
        if workspace is None or faults.holds("disabled"):
            return {"enabled": False, "configuredWorkflows": {}}
        names = (self.config.workflow_channels, self.config.workflow_users, self.config.workflow_messages)
        return {
            "enabled": True,
            "credentialId": f"cred-{workspace.team}",
            "credentialStatus": "INVALID" if faults.holds("credential") else "VALID",
            "providerId": workspace.installer,
            "providerData": {
                "team": {"id": workspace.team, "name": workspace.name},
                "authed_user": {"id": workspace.installer},
            },
            "configuredWorkflows": {name: {"enabled": True, "settings": {}} for name in names},
        }


def refusal(status: int, message: str | list[str], *, of_slack: bool = False) -> Response:
    """Paragon's error body; the refusal is Paragon's own, unless it hands on the integration's."""
    body = {"message": message, "code": str(status), "status": status, "meta": {"isIntegrationError": of_slack}}
    return answer(body, status)


def _file(found: Json | None, *, raw: bool) -> Response:
    """The file's bytes with Slack's headers. Wrapped in JSON, they are no longer what they were."""
    if found is None:
        page = Response("<html>File not found</html>", 404, _OF_SLACK, media_type="text/html")
        return page if raw else refusal(404, "Not found", of_slack=True)
    if not raw:
        return answer({"output": b"".join(files.content(found)).decode(errors="replace")})
    disposition = f'attachment; filename="{found["name"]}"'
    headers = _OF_SLACK | {"Content-Disposition": disposition, "Content-Length": str(found["size"])}
    return StreamingResponse(_sent(found), 200, headers, media_type=found["mimetype"])


async def _sent(found: Json) -> AsyncIterator[bytes]:
    for chunk in files.content(found):
        yield chunk


def _limited(wait: int, *, raw: bool) -> Response:
    """Slack's 429. Its `Retry-After` is a provider's header: only a raw answer has it."""
    if not raw:
        return refusal(429, "ratelimited", of_slack=True)
    return answer({"ok": False, "error": "ratelimited"}, 429, _OF_SLACK | {"Retry-After": str(wait)})

"""The test bench's hand on channels: share one, give one another id, have the directory read again."""

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simulator.answers import answer
from simulator.bench import BadRequest, body_of, guarded, text_of
from simulator.slack.workspace import Workspace
from simulator.workflows import Engine
from simulator.workspaces import Workspaces

FOREIGN = "T0FOREIGN1"
"""The team of the other company."""


@dataclass
class ChannelControl:
    """Changes what the channels of a workspace are; nobody is told but by the next directory."""

    workspaces: Workspaces
    engine: Engine

    def routes(self) -> list[Route]:
        """Three more below /_sim."""
        posts = {"channels/share": self.share, "channels/id": self.change_id, "directory": self.read_directory}
        return [Route(f"/_sim/{path}", guarded(endpoint), methods=["POST"]) for path, endpoint in posts.items()]

    async def share(self, request: Request) -> Response:
        """`{connection, channel, shared?}`: another company is let into the channel, or leaves it again."""
        body = await body_of(request)
        shared, workspace = body.get("shared", True), self._workspace(body)
        if not isinstance(shared, bool):
            raise BadRequest("shared must be true or false")
        teams = [workspace.team, FOREIGN] if shared else [workspace.team]
        record = workspace.channel(text_of(body, "channel")).record
        record.update(is_shared=shared, is_ext_shared=shared, shared_team_ids=teams)
        return answer({"channel": record["id"], "is_ext_shared": shared})

    async def change_id(self, request: Request) -> Response:
        """`{connection, channel, id}`: the channel has this id from now on, and its old one is not found."""
        body = await body_of(request)
        workspace, new = self._workspace(body), text_of(body, "id")
        if new in workspace.channels:
            raise BadRequest("there is a channel with this id")
        workspace.change_id(text_of(body, "channel"), new)
        return answer({"channel": new})

    async def read_directory(self, request: Request) -> Response:
        """`{connection}`: the directory workflows start, as they do daily."""
        body = await body_of(request)
        workspace = self._workspace(body)
        for kind in ("channels", "users"):
            self.engine.start_directory(kind, text_of(body, "connection"), workspace)
        return answer({})

    def _workspace(self, body: dict[str, Any]) -> Workspace:
        found = self.workspaces.of(text_of(body, "connection"))
        if found is None:
            raise BadRequest("this connection is not connected")
        return found

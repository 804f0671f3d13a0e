"""The test bench's switches of faults, and the truth to hold the mesh against."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simulator.answers import answer
from simulator.bench import BadRequest, body_of, guarded
from simulator.faults import UnknownFault, parse
from simulator.happenings import Happenings
from simulator.slack.changes import shown
from simulator.slack.paging import SlackError
from simulator.slack.workspace import Workspace
from simulator.workspaces import Workspaces


@dataclass(frozen=True)
class FaultControl:
    """Four more routes below /_sim."""

    happenings: Happenings
    workspaces: Workspaces

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route("/_sim/faults", guarded(self.look), methods=["GET"]),
            Route("/_sim/faults", guarded(self.switch), methods=["POST"]),
            Route("/_sim/shown", guarded(self.shown), methods=["GET"]),
            Route("/_sim/names", guarded(self.names), methods=["GET"]),
        ]

    async def look(self, request: Request) -> Response:
        """`{seed, on, present, counts, taken, minute, over}`: what is on, what holds now, how often each has struck."""
        faults = self.happenings.faults
        state = {"on": sorted(faults.on), "present": sorted(faults.present), "minute": self.happenings.minute}
        counts = {"counts": dict(faults.counts), "taken": dict(faults.taken)}
        return answer({"seed": faults.seed, **state, **counts, "over": self.happenings.over})

    async def switch(self, request: Request) -> Response:
        """`{on: "drop,late" | "all" | ""}`: only these strike from now on; states whose fault is off end at once."""
        wanted = (await body_of(request)).get("on")
        if not isinstance(wanted, str):
            raise BadRequest("on must be a string: names with commas between them, all, or nothing")
        try:
            self.happenings.faults.switch(parse(wanted))
        except UnknownFault as error:
            raise BadRequest(str(error)) from None
        return await self.look(request)

    async def shown(self, request: Request) -> Response:
        """`?connection=&channel=` → `{messages: {ts: text}}`: all that Slack would show of a channel."""
        channel = self._workspace(request).channel(request.query_params.get("channel", ""))
        return answer({"messages": shown(channel)})

    async def names(self, request: Request) -> Response:
        """`?connection=` → `{users, channels}`, each id → name as Slack has it now."""
        workspace = self._workspace(request)
        users = {str(user["id"]): user.get("name") for user in workspace.users}
        channels = {name: channel.record.get("name") for name, channel in workspace.channels.items()}
        return answer({"users": users, "channels": channels})

    def _workspace(self, request: Request) -> Workspace:
        found = self.workspaces.of(request.query_params.get("connection", ""))
        if found is None:
            raise SlackError("not_connected")
        return found

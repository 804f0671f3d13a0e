"""The test bench's own routes, below /_sim: connect, look, slow down, and change the workspace live."""

import asyncio
import math
import time
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simulator.answers import answer
from simulator.bench import BadRequest, body_of, guarded, number_of, text_of
from simulator.config import SimulatorConfig
from simulator.ledger import Ledger
from simulator.slack import files
from simulator.slack.changes import edit, free_ts, marked, write
from simulator.slack.channel import Channel
from simulator.slack.limit import Limit
from simulator.slack.paging import micros
from simulator.slack.workspace import Workspace
from simulator.triggers import Triggers
from simulator.workflows import Engine
from simulator.workspaces import Workspaces

Json = dict[str, Any]


@dataclass
class Control:
    """Reads and changes one simulator."""

    config: SimulatorConfig
    workspaces: Workspaces
    engine: Engine
    ledger: Ledger
    triggers: Triggers
    limit: Limit

    def routes(self) -> list[Route]:
        """Everything below /_sim."""
        posts = {"connect": self.connect, "slow": self.slow, "limit": self.refuse, "messages": self.add,
                 "messages/edit": self.edit, "messages/delete": self.delete}  # fmt: skip
        gets = {"workspaces": self.listed, "status": self.status, "ledger": self.page, "triggers": self.seen,
                "canaries": self.canaries}  # fmt: skip
        routes = [Route(f"/_sim/{path}", guarded(endpoint), methods=["POST"]) for path, endpoint in posts.items()]
        return routes + [Route(f"/_sim/{path}", guarded(endpoint), methods=["GET"]) for path, endpoint in gets.items()]

    async def connect(self, request: Request) -> Response:
        """`{connection, workspace?}`: a user connects Slack; the directory workflows start, once."""
        body = await body_of(request)
        connection, index = text_of(body, "connection"), body.get("workspace")
        if index is not None and (not isinstance(index, int) or not 0 <= index < self.workspaces.count):
            raise BadRequest(f"workspace must be 0 to {self.workspaces.count - 1}")
        before = self.workspaces.index_of(connection)
        workspace = await asyncio.to_thread(self.workspaces.connect, connection, index)
        at = self.workspaces.index_of(connection)
        if at != before and self.config.self_start:
            self.engine.start_directory("channels", connection, workspace)
            self.engine.start_directory("users", connection, workspace)
        shown = {"connection": connection, "workspace": at, "team": workspace.team, "new": at != before}
        return answer({**shown, "channels": list(workspace.channels)})

    async def listed(self, request: Request) -> Response:
        """Every workspace: team, connections, channels with counts; with `?records=1` those without notices too."""
        records = "records" in request.query_params
        return answer({"workspaces": [self._shown(i, w, records) for i, w in await self._all()]})

    async def status(self, request: Request) -> Response:
        """`{idle, executions, callbacks, ledger}`; idle means that nothing runs and nothing is on the wire."""
        counts, callbacks = self.engine.counts, self.engine.courier.counts
        executions = {"running": self.engine.running, "started": counts["started"], "failed": counts["failed"]}
        names = ("posted", "attempts", "accepted", "refused", "lost", "retried")
        shown = {"in_flight": self.engine.courier.in_flight, **dict.fromkeys(names, 0), **callbacks}
        config = self.config
        workflows = {"messages": config.workflow_messages, "channels": config.workflow_channels,
                     "users": config.workflow_users}  # fmt: skip
        return answer({"idle": self.engine.running == 0, "executions": executions, "callbacks": shown,
                       "ledger": len(self.ledger), "workflows": workflows})  # fmt: skip

    async def page(self, request: Request) -> Response:
        """`?after=N&limit=M`: the ledger's lines after `seq` N."""
        after, limit = number_of(request, "after", 0), number_of(request, "limit", 1000)
        return answer(self.ledger.after(after, limit))

    async def seen(self, request: Request) -> Response:
        """The trigger bodies, without tokens."""
        return answer(self.triggers.shown())

    async def canaries(self, request: Request) -> Response:
        """`{canaries: [{team, channel, canary}]}`; null for a channel that came from an export."""
        rows = [(w.team, c) for _, w in await self._all() for c in w.channels.values()]
        return answer({"canaries": [{"team": t, "channel": c.id, "canary": c.canary} for t, c in rows]})

    async def slow(self, request: Request) -> Response:
        """`{seconds}`: how long every callback waits before it is posted; 0 lets all that wait go."""
        seconds = (await body_of(request)).get("seconds")
        if not isinstance(seconds, int | float) or not math.isfinite(seconds) or seconds < 0:
            raise BadRequest("seconds must be a number from 0")
        self.engine.courier.pace.set(float(seconds))
        return answer({"seconds": seconds})

    async def refuse(self, request: Request) -> Response:
        """`{calls, retry_after}`: so many calls through the proxy get Slack's 429, with that many seconds to wait."""
        body = await body_of(request)
        calls, wait = body.get("calls"), body.get("retry_after", 30)
        if type(calls) is not int or type(wait) is not int or calls < 0 or wait < 0:
            raise BadRequest("calls and retry_after must be whole numbers from 0")
        self.limit.set(calls, wait)
        return answer({"calls": calls, "retry_after": wait})

    async def add(self, request: Request) -> Response:
        """`{connection, channel, text, thread_ts?, user?, ts?, file?}` → `{ts}`: somebody writes a message now.

        `file` is `{name, mimetype, size}` of one that hangs on it; the answer has its metadata as `file`, too.
        """
        body = await body_of(request)
        workspace, channel = self._place(body)
        ts = str(body.get("ts") or free_ts(channel, time.time_ns() // 1000))
        text = marked(text_of(body, "text"), channel)
        message: Json = {
            "type": "message",
            "user": str(body.get("user") or workspace.installer),
            "text": text,
            "ts": ts,
        }
        message["team"] = workspace.team
        if thread := body.get("thread_ts"):
            message["thread_ts"] = str(thread)
        if said := body.get("file"):
            message["files"] = [_attached(said, workspace, message)]
        write(channel, message)
        return answer({"ts": ts, **({"file": message["files"][0]} if said else {})}, 201)

    async def edit(self, request: Request) -> Response:
        """`{connection, channel, ts, text}`: same `ts`, new text, `edited`."""
        body = await body_of(request)
        workspace, channel = self._place(body)
        message = edit(channel, text_of(body, "ts"), text_of(body, "text"), workspace.installer, int(time.time()))
        return answer({"ts": message["ts"], "edited": message["edited"]["ts"]})

    async def delete(self, request: Request) -> Response:
        """`{connection, channel, ts}`: the message stops being returned; a parent leaves a tombstone."""
        body = await body_of(request)
        _, channel = self._place(body)
        channel.remove(text_of(body, "ts"))
        return answer({})

    def _place(self, body: Json) -> tuple[Workspace, Channel]:
        workspace = self.workspaces.of(text_of(body, "connection"))
        if workspace is None:
            raise BadRequest("this connection is not connected")
        return workspace, workspace.channel(text_of(body, "channel"))

    async def _all(self) -> list[tuple[int, Workspace]]:
        return await asyncio.to_thread(lambda: list(self.workspaces.all()))

    def _shown(self, index: int, workspace: Workspace, records: bool) -> Json:
        channels = [{"id": c.id, "is_private": bool(c.record.get("is_private")), **c.counts(),
                     **({"records": c.records()} if records else {})} for c in workspace.channels.values()]  # fmt: skip
        return {"workspace": index, "team": workspace.team, "connections": self.workspaces.connections(index),
                "users": len(workspace.users), "messages": workspace.messages(), "channels": channels}  # fmt: skip


def _attached(said: object, workspace: Workspace, message: Json) -> Json:
    """The metadata of a file that hangs on a message."""
    if not isinstance(said, dict) or type(size := said.get("size")) is not int or size < 0:
        raise BadRequest("file must be an object with name, mimetype, and size in bytes")
    name, mimetype = text_of(said, "name"), text_of(said, "mimetype")
    file = f"F{micros(message['ts']):X}"
    return files.hosted(workspace.team, file, name, mimetype, size, message["user"])

"""The three workflows of docs/workflows.md, executed: what the core service's engineers build in Paragon.

connect / schedule / trigger ─▶ channels ─▶ conversations.list, page by page ─▶ callback
                             └▶ users    ─▶ users.list, page by page         ─▶ callback
trigger ─▶ messages ─▶ for each channel: conversations.history ─▶ callback
                         └▶ for each parent in it: conversations.replies ─▶ callback

A careless build of the third, as a gate must expect it, also posts the history of channels that it was not asked for
(`SimulatorConfig.stray`). In the restricted regime it is the careful build: one call after the other.
"""

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

from starlette.applications import Starlette

from simulator.branches import Fan, StepFailed, Work
from simulator.callbacks import Callback, Courier
from simulator.config import SimulatorConfig
from simulator.envelope import Run, chain, next_cursor, parents
from simulator.faults import Faults
from simulator.mishaps import Mishaps, Wait
from simulator.slack.workspace import Workspace
from simulator.slack_step import SlackStep
from simulator.triggers import Triggers

Json = dict[str, Any]

CHANNEL_TYPES = "public_channel,private_channel"


class Engine:
    """Runs workflow executions as tasks. `slack` is called over HTTP in process, with the workspace's own token."""

    def __init__(
        self, config: SimulatorConfig, slack: Starlette, courier: Courier, mishaps: Mishaps | None = None
    ) -> None:
        self.courier = courier
        self.counts: Counter[str] = Counter()
        self._config = config
        self._mishaps = mishaps or Mishaps(Faults(), Triggers(), 60 * config.time_scale)
        self._slack = SlackStep(slack, self._mishaps.faults, self.counts, config.retry_scale)
        self._tasks: set[asyncio.Task[None]] = set()

    async def aclose(self) -> None:
        """Stop every execution at once and close."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._slack.aclose()
        await self.courier.aclose()

    @property
    def running(self) -> int:
        """Executions that have not ended."""
        return self.counts["started"] - self.counts["ended"]

    def start_messages(self, connection: str, workspace: Workspace, trigger: Json) -> None:
        """Begin one execution of the messages workflow with a trigger's body."""
        self._execute(partial(self._messages, connection, workspace, trigger))

    def start_directory(self, kind: str, connection: str, workspace: Workspace, trigger: Json | None = None) -> None:
        """Begin one execution of the channels or users workflow, by itself or with a trigger's body.

        Nowhere to post to is a failure, as in Paragon.
        """
        self._execute(partial(self._directory, kind, connection, workspace, trigger or {}))

    def _execute(self, work: Callable[[], Work]) -> None:
        self.counts["started"] += 1
        self.spawn(self._guarded(work))

    def spawn(self, work: Work) -> asyncio.Task[None]:
        """A task that `aclose` knows of."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _guarded(self, work: Callable[[], Work]) -> None:
        try:
            await work()
        except StepFailed:
            self.counts["failed"] += 1
        finally:
            self.counts["ended"] += 1

    async def _directory(self, kind: str, connection: str, workspace: Workspace, trigger: Json) -> None:
        own = f"{self._config.webhooks.rstrip('/')}/v1/webhooks/slack/{kind}" if self._config.webhooks else ""
        url = str(trigger.get("callback_url") or own)
        if not url:
            raise StepFailed
        method, field, args = _DIRECTORY[kind]
        run_id = str(trigger.get("run_id") or uuid.uuid4())
        async with Fan(self.spawn) as branch:
            async for cursor, page in self._pages(workspace, method, {**args, "limit": "200"}):
                envelope = {"connection": connection, "run_id": run_id, **chain(cursor, page)}
                body = {**envelope, field: page.get(field) or []}
                await self._post(branch, Callback(kind, url, self._config.webhook_secret, connection,
                                                  workspace.team, body))  # fmt: skip

    async def _messages(self, connection: str, workspace: Workspace, trigger: Json) -> None:
        run = Run(connection, workspace, trigger)
        channels = trigger.get("channels")
        if not run.is_whole or not isinstance(channels, list):
            raise StepFailed
        async with Fan(self.spawn) as branch:
            for channel in channels:
                await self._beside(branch, self._channel(run, str(channel)))
            for channel in self._strays(workspace, channels):
                await self._beside(branch, self._stray(run, channel))

    def _strays(self, workspace: Workspace, asked: list[object]) -> list[str]:
        """The first channels by id that were not asked for, as many as configured; the same for the same trigger."""
        others = sorted(set(workspace.channels).difference(map(str, asked)))
        return others if self._config.stray < 0 else others[: self._config.stray]

    async def _channel(self, run: Run, channel: str) -> None:
        async with Fan(self.spawn) as branch:
            if thread := str(run.trigger.get("thread_ts") or ""):
                await self._thread(branch, run, channel, thread)
                return
            await self._history(branch, run, channel, replies=bool(run.trigger.get("replies")))

    async def _stray(self, run: Run, channel: str) -> None:
        async with Fan(self.spawn) as branch:
            await self._history(branch, run, channel, replies=False)

    async def _history(self, branch: Fan, run: Run, channel: str, *, replies: bool) -> None:
        args = {"channel": channel, "oldest": run.text("oldest"), **run.bounds()}
        async for cursor, page in self._pages(run.workspace, "conversations.history", args):
            await self._post(branch, run.callback(channel, "", cursor, page))
            for parent in parents(page) if replies else ():
                await self._beside(branch, self._thread_alone(run, channel, parent))

    async def _thread_alone(self, run: Run, channel: str, parent: str) -> None:
        async with Fan(self.spawn) as branch:
            await self._thread(branch, run, channel, parent)

    async def _thread(self, branch: Fan, run: Run, channel: str, parent: str) -> None:
        args = {"channel": channel, "ts": parent, "oldest": "0", **run.bounds()}
        async for cursor, page in self._pages(run.workspace, "conversations.replies", args):
            await self._post(branch, run.callback(channel, parent, cursor, page))

    async def _post(self, branch: Fan, callback: Callback) -> None:
        """Hand a page to the courier: in parallel, but never further ahead than the slots reach."""
        trips = self._mishaps.trips(callback)
        for trip in trips + trips[:1] * (self.courier.copies() - 1):
            if trip is None:
                await self.courier.slot()
                branch.start(self.courier.send(callback))
            else:
                branch.start(self._post_later(trip, callback))

    async def _post_later(self, trip: Wait, callback: Callback) -> None:
        await trip()
        await self.courier.slot()
        await self.courier.send(callback)

    async def _pages(self, workspace: Workspace, method: str, args: Json) -> AsyncIterator[tuple[str, Json]]:
        """Slack's pages with the cursor each was asked with; a page that is not ok is the last."""
        cursor, careful = "", self._careful
        while True:
            asked = {**args, **({"cursor": cursor} if cursor else {})}
            page = await self._slack.call(workspace, method, asked, careful=careful)
            yield cursor, page
            cursor = next_cursor(page)
            if not cursor:
                return

    @property
    def _careful(self) -> bool:
        """Which build of the workflow this is: whoever knows of the restricted regime builds for it."""
        return self._config.regime == "restricted" or self._mishaps.faults.holds("restricted")

    async def _beside(self, branch: Fan, work: Work) -> None:
        """Another branch of the workflow; the careful build ends it before it begins the next."""
        task = branch.start(work)
        if self._careful:
            await asyncio.wait([task])


_DIRECTORY: dict[str, tuple[str, str, Json]] = {
    "channels": ("conversations.list", "channels", {"types": CHANNEL_TYPES, "exclude_archived": "false"}),
    "users": ("users.list", "members", {}),
}

"""A workflow's Integration Request step: Slack is called with the user's credential, and what it refuses is tried
again.

Two builds. The usual one has Paragon's retries: what Slack still refuses after the last fails the branch or, built with
more care for it, is posted as `ratelimited`. The careful one, for the restricted regime (docs/workflows.md), waits as
long as `Retry-After` says, as often as it takes.
"""

import asyncio
from collections import Counter
from typing import Any, Final

import httpx
from starlette.applications import Starlette

from simulator.branches import StepFailed
from simulator.callbacks import RETRY_SECONDS
from simulator.faults import Faults
from simulator.slack.workspace import Workspace

Json = dict[str, Any]
MOST_WAITS: Final = 10_000


class SlackStep:
    """`retry_scale` is how many seconds one of Paragon's takes."""

    def __init__(self, slack: Starlette, faults: Faults, counts: Counter[str], retry_scale: float) -> None:
        transport = httpx.ASGITransport(app=slack)
        self._http = httpx.AsyncClient(transport=transport, base_url="http://slack.simulator/api/")
        self._faults, self._counts, self._scale = faults, counts, retry_scale

    async def aclose(self) -> None:
        """Close the client."""
        await self._http.aclose()

    async def call(self, workspace: Workspace, method: str, args: Json, *, careful: bool = False) -> Json:
        """Slack's answer. Raises `StepFailed` where it stays away or the user's credential does not hold."""
        headers = {"Authorization": f"Bearer {workspace.token}"}
        tries = MOST_WAITS if careful else len(RETRY_SECONDS) + 1
        for number in range(tries):
            self._check()
            response = await self._http.get(method, params=args, headers=headers)
            if response.status_code == 200:
                page: Json = response.json()
                return page
            if number + 1 < tries:
                await asyncio.sleep(self._wait(response, number, careful=careful))
        # By chance which build it is: a step that fails leaves silence, one that goes on posts the refusal.
        if self._faults.draw("build", method, *sorted(args.items())) < 0.5:
            raise StepFailed
        return {"ok": False, "error": "ratelimited"}

    def _check(self) -> None:
        """With an invalid credential, or a disabled integration, every step fails."""
        for state in ("credential", "disabled"):
            if self._faults.holds(state):
                self._counts[f"failed_{state}"] += 1
                self._faults.struck(state)
                raise StepFailed

    def _wait(self, response: httpx.Response, number: int, *, careful: bool) -> float:
        if careful:
            return float(response.headers.get("Retry-After", 0.0))
        return RETRY_SECONDS[number] * self._scale

"""Callbacks that no workflow of ours would post, and that must change nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import SecretStr

from simulator.callbacks import Courier
from simulator.faults import Faults

Json = dict[str, Any]

STRANGER: Final = "mallory@example.com/another"
_TUTORIAL: Final = {"text": "Hello from the tutorial", "channel": "general"}
"""As Paragon's own tutorial posts: no `ts`, no paging, the channel by its name."""


@dataclass(frozen=True)
class Knocks:
    """Posts them; `faults` is told what was answered."""

    faults: Faults
    courier: Courier
    secret: SecretStr

    async def all(self, asked: Mapping[str, Json]) -> None:
        """With each connection's newest trigger, the kinds whose faults are on."""
        for connection, body in sorted(asked.items()):
            if "wrong_connection" in self.faults.on:
                await self._wrong(connection, body)
            if "tutorial" in self.faults.on:
                await self._tutorial(str(body["callback_url"]))

    async def _wrong(self, connection: str, body: Json) -> None:
        """A page that names another connection than its run token, and one that names another run."""
        page: Json = {"attempt": body["attempt"], "channel": "C0STRANGER", "thread_ts": "", "cursor": "",
                      "next_cursor": "", "has_more": False}  # fmt: skip
        page["messages"] = [{"type": "message", "ts": "1700000000.000100", "text": "not for you"}]
        for name, run in ((STRANGER, body["run_id"]), (connection, "another")):
            claimed = {**page, "connection": name, "run_id": run}
            status = await self.courier.knock(str(body["callback_url"]), claimed, str(body["run_token"]))
            self.faults.told("wrong_connection", status)

    async def _tutorial(self, url: str) -> None:
        """Without a secret, and with the project's."""
        for bearer in ("", self.secret.get_secret_value()):
            self.faults.told("tutorial", await self.courier.knock(url, _TUTORIAL, bearer))

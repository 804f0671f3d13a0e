"""Sluice's API as the core service calls it, with the core service's token: four public routes and no more."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
from pydantic import SecretStr

Json = dict[str, Any]


class CoreApiError(Exception):
    """The sentence that is shown instead of an answer; `status` is Sluice's, 0 where none came."""

    def __init__(self, sentence: str, status: int = 0) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass(frozen=True)
class CoreApi:
    """A client of the API at `base`. All its methods raise `CoreApiError`."""

    base: str
    token: SecretStr
    transport: httpx.AsyncBaseTransport | None = None

    async def mint(self, connection: str) -> str:
        """Register the connection, then a Paragon User Token for it: in this order, or its callbacks are refused."""
        await self._ask("PUT", connection)
        return str((await self._ask("POST", connection, "/token")).get("token", ""))

    async def look(self, connection: str) -> Json:
        """What Sluice knows of the connection."""
        return await self._ask("GET", connection)

    async def channels(self, connection: str) -> list[Json]:
        """The channels that a picker can offer, by name."""
        return list((await self._ask("GET", connection, "/channels")).get("channels", []))

    async def _ask(self, method: str, connection: str, tail: str = "") -> Json:
        user, _, org = connection.rpartition("/")
        path = f"/v1/orgs/{quote(org, safe='')}/connections/{quote(user, safe='')}{tail}"
        headers = {"Authorization": f"Bearer {self.token.get_secret_value()}"}
        client = httpx.AsyncClient(
            base_url=self.base, headers=headers, transport=self.transport, trust_env=False, timeout=10
        )
        async with client:
            try:
                response = await client.request(method, path)
                body = response.json() if response.content else {}
            except (httpx.HTTPError, ValueError):
                raise CoreApiError("Sluice's API does not answer. Is it up?") from None
        if not response.is_success or not isinstance(body, dict):
            raise CoreApiError(_sentence(response.status_code, body), response.status_code)
        return body


def _sentence(status: int, problem: object) -> str:
    """Problems of Sluice hold no content: their detail can be shown."""
    detail = str(problem.get("detail") or problem.get("title") or "") if isinstance(problem, dict) else ""
    if status == 401:
        return "Sluice does not know the core service's token."
    if status == 404:
        return "This connection is not registered, or the core service's token is for another organisation."
    return f"Sluice answered {status}. {detail}".strip()

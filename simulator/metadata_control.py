"""The test bench's hand on a user's metadata: what somebody else writes there, past Sluice."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simulator.answers import answer
from simulator.bench import BadRequest, body_of, guarded, text_of
from simulator.paragon import Paragon


@dataclass(frozen=True)
class MetadataControl:
    """Changes the metadata that `sdk/me` shows; nobody is told."""

    paragon: Paragon

    def routes(self) -> list[Route]:
        """One more below /_sim."""
        return [Route("/_sim/metadata", guarded(self.change), methods=["POST"])]

    async def change(self, request: Request) -> Response:
        """`{connection, meta}` → `{meta}`: these keys hold this from now on, null takes one away; all others stay."""
        body = await body_of(request)
        connection, said = text_of(body, "connection"), body.get("meta")
        if not isinstance(said, dict):
            raise BadRequest("meta must be an object")
        after = {**self.paragon.meta.get(connection, {}), **said}
        self.paragon.meta[connection] = {key: value for key, value in after.items() if value is not None}
        return answer({"meta": self.paragon.meta[connection]})

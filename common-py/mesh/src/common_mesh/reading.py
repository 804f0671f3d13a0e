"""Reading a mesh back: what `send_all_models` left there. Only where the mesh offers the reading routes."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any, Self

import httpx

from common_mesh import exchange, tokens, wire
from common_mesh.engine import checked_url
from common_mesh.errors import ProtocolError, Refused, Unavailable
from common_mesh.policy import Policy
from common_mesh.transport import DeadlineTransport

PAGE = 100
LARGEST_ANSWER = 16 * 1024 * 1024
"""Bytes: a page ends early where its records are large, but a single one may be as large as a batch."""


class MeshReader:
    """Reads over the same wire as `MeshEngine` sends, with the same bounds; one attempt a page, close it after use.

    Every call raises `Unavailable`, `Refused` (status 404 or 405: this mesh offers no reading) or `ProtocolError`.
    """

    def __init__(
        self,
        base_url: str,
        token: str | Callable[[], str | None] | None = None,
        *,
        transport: httpx.BaseTransport | None = None,
        policy: Policy | None = None,
    ) -> None:
        self._policy = policy or Policy(max_answer_bytes=LARGEST_ANSWER)
        self._token = tokens.source(token)
        self._client = httpx.Client(
            base_url=checked_url(base_url),
            transport=transport or DeadlineTransport(2, None),
            trust_env=False,
            follow_redirects=False,
            headers={"User-Agent": "common-mesh", "Accept-Encoding": "identity"},
        )

    def spaces(self) -> list[tuple[str, str, str, int]]:
        """(organisation, module, model, live records) of every space that holds anything."""
        try:
            return [(row["org"], row["module"], row["model"], row["count"]) for row in self._list("/v1", "spaces")]
        except KeyError as error:
            raise ProtocolError("the mesh answers no list of spaces") from error

    def count(self, org: str, module: str, model: str) -> int:
        """How many live records a space has."""
        found = self._get(wire.path(org, module, model, "count")).get("count")
        if type(found) is not int:
            raise ProtocolError("the mesh answers a count without a number")
        return found

    def records(self, org: str, module: str, model: str) -> Iterator[dict[str, Any]]:
        """Live records by id, page by page, in constant memory."""
        path, after = wire.path(org, module, model, "records"), ""
        while True:
            page = self._get(path, {"after": after, "limit": str(PAGE)})
            rows, following = page.get("records"), page.get("next")
            if not isinstance(rows, list) or not isinstance(following, str | None):
                raise ProtocolError("the mesh answers no page of records")
            yield from rows
            if following is None:
                return
            if following <= after:
                raise ProtocolError("the mesh's pages do not move on")
            after = following

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _list(self, path: str, name: str) -> list[dict[str, Any]]:
        found = self._get(path).get(name)
        if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
            raise ProtocolError(f"the mesh answers no list of {name}")
        return found

    def _get(self, path: str, params: dict[str, str] | None = None) -> dict[str, Any]:
        headers = tokens.bearer(tokens.current(self._token))
        request = self._client.build_request("GET", path, params=params, headers=headers)
        try:
            body = exchange.exchange(self._client, self._policy, request, time.monotonic() + self._policy.deadline)
            document = json.loads(body)
        except exchange.TryAgain as error:
            raise Unavailable(error.what, retry_after=error.retry_after) from error
        except (exchange.TooLarge, exchange.OtherCoding) as error:
            raise Refused("the mesh refuses to be read", status=int(str(error))) from error
        except (ValueError, RecursionError) as error:
            raise ProtocolError("the mesh answers what is no JSON") from error
        if not isinstance(document, dict):
            raise ProtocolError("the mesh answers no JSON object")
        return document

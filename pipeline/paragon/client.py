"""The seam to Paragon: who a connection is, its metadata, its workflows, and Slack through the proxy.

One call is one request: nothing is repeated here, because a trigger or a write of unknown fate is the schedule's
matter. Every call raises the errors that `pipeline.paragon.errors` draws, and nothing else.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import quote

import httpx

from pipeline.errors import Rejected, Unavailable
from pipeline.paragon.errors import AccessRefused, SlackRefused, word
from pipeline.paragon.exchange import ANSWER_LIMIT, Asked, Exchange, RawAnswer
from pipeline.paragon.me import Me, read_me
from pipeline.paragon.token import UserTokens

__all__ = ["ANSWER_LIMIT", "MetaResult", "ParagonClient", "RawAnswer"]


@dataclass(frozen=True, slots=True)
class MetaResult:
    """What a merge of metadata led to: all of it as read back, and whether a write was needed."""

    meta: Mapping[str, Any]
    changed: bool


class ParagonClient:
    """A client for one Paragon project. Make it after a fork and close it; threads may share it.

    `timeout` bounds each wait for the network and `deadline` a whole call, in seconds. `transport` is for tests.
    """

    def __init__(
        self,
        project_id: str,
        *,
        api_url: str,
        trigger_url: str,
        proxy_url: str,
        tokens: UserTokens,
        transport: httpx.BaseTransport | None = None,
        timeout: float = 10.0,
        deadline: float = 30.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._me, self._triggers, self._proxy = (
            f"{host.rstrip('/')}/projects/{quote(project_id, safe='')}/sdk/{part}"
            for host, part in ((api_url, "me"), (trigger_url, "triggers"), (proxy_url, "proxy"))
        )
        self._tokens = tokens
        self._exchange = Exchange(transport, timeout=timeout, deadline=deadline, clock=clock)

    def me(self, connection: str) -> Me:
        """Who this connection is to Paragon. `authenticated: false` raises `AccessRefused`."""
        me = read_me(_object(self._call("GET", self._me, connection)))
        if not me.authenticated:
            raise AccessRefused(200, "unauthenticated")
        return me

    def patch_meta(self, connection: str, meta: Mapping[str, Any]) -> None:
        """Write `meta` as the user's metadata. Whether Paragon merges is not documented: send the whole of it."""
        self._call("PATCH", self._me, connection, body={"meta": meta})

    def merge_meta(self, connection: str, ours: Mapping[str, Any]) -> MetaResult:
        """Set our keys and keep all others as they are; read back and compare.

        Writes nothing where our keys hold these values already. Raises `Unavailable` where the reading differs.
        """
        before = self.me(connection).meta
        wanted = {**before, **ours}
        if wanted == before:
            return MetaResult(meta=before, changed=False)
        self.patch_meta(connection, wanted)
        after = self.me(connection).meta
        if any(key not in after or after[key] != value for key, value in wanted.items()):
            raise Unavailable("paragon_meta_differs")
        return MetaResult(meta=after, changed=True)

    def trigger(self, connection: str, workflow_id: str, body: Mapping[str, Any]) -> None:
        """Start a workflow. Paragon names no execution; its callbacks carry what `body` gave them."""
        self._call("POST", f"{self._triggers}/{quote(workflow_id, safe='')}", connection, body=body)

    def proxy(
        self,
        connection: str,
        integration: str,
        path: str,
        *,
        method: str = "GET",
        params: Mapping[str, str] | None = None,
        body: object = None,
    ) -> dict[str, Any]:
        """`proxy_json` where the answer must be an object."""
        return _object(self.proxy_json(connection, integration, path, method=method, params=params, body=body))

    def proxy_json(
        self,
        connection: str,
        integration: str,
        path: str,
        *,
        method: str = "GET",
        params: Mapping[str, str] | None = None,
        body: object = None,
    ) -> object:
        """Call the integration with the user's own credential, any verb; its JSON out of Paragon's `output`.

        `body` is sent as JSON unless None. Slack's `ok: false` raises `SlackRefused` with its word, or `Unavailable`
        for `ratelimited`; `Rejected("bad_path")` is a path that would leave the integration.
        """
        url = self._proxy_url(integration, path)
        answer, wait = self._exchange.json(Asked(method, url, self._tokens.token(connection), params, body))
        output = answer.get("output", answer) if isinstance(answer, dict) else answer
        if integration == "slack" and isinstance(output, dict) and output.get("ok") is False:
            raise _slack_refusal(word(output.get("error")), wait)
        return output

    def proxy_raw(
        self,
        connection: str,
        integration: str,
        path: str,
        into: Callable[[bytes], object],
        *,
        method: str = "GET",
        params: Mapping[str, str] | None = None,
        body: object = None,
    ) -> RawAnswer:
        """The same with the provider's answer as it is: status, headers, and its bytes to `into`, piece by piece.

        For binary files, and to see the provider's `Retry-After`. What Slack says with a 200 is not looked into.
        """
        url = self._proxy_url(integration, path)
        return self._exchange.raw(Asked(method, url, self._tokens.token(connection), params, body, raw=True), into)

    def close(self) -> None:
        """Close the connections."""
        self._exchange.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _proxy_url(self, integration: str, path: str) -> str:
        if {".", ".."} & {*path.split("/"), integration}:  # httpx would walk up, out of the proxy
            raise Rejected("bad_path", location="path")
        return f"{self._proxy}/{quote(integration, safe='')}/{quote(path.lstrip('/'), safe='/')}"

    def _call(self, method: str, url: str, connection: str, *, body: Mapping[str, Any] | None = None) -> object:
        """One request; the answer's JSON, None where there is none. Not 2xx and no answer raise."""
        return self._exchange.json(Asked(method, url, self._tokens.token(connection), body=body))[0]


def _object(answer: object) -> dict[str, Any]:
    if not isinstance(answer, dict):
        raise Unavailable("paragon_answer")
    return answer


def _slack_refusal(error: str, wait: float | None) -> Exception:
    """Slack answers its refusals with 200; a rate limit is the one among them that time alone mends."""
    if error == "ratelimited":
        return Unavailable("slack_ratelimited", retry_after=wait)
    return SlackRefused(200, error)

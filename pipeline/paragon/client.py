"""The seam to Paragon: who a connection is, its metadata, its workflows, and Slack through the proxy.

One call is one request: nothing is repeated here, because a trigger or a write of unknown fate is the schedule's
matter. Every call raises the errors that `pipeline.paragon.errors` draws, and nothing else.
"""

import json
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Self
from urllib.parse import quote

import httpx

from pipeline.errors import Unavailable
from pipeline.paragon.errors import AccessRefused, SlackRefused, refusal, retry_after, word
from pipeline.paragon.me import Me, read_me
from pipeline.paragon.token import UserTokens

ANSWER_LIMIT: Final = 8 * 1024 * 1024
"""Bytes of an answer that are read at most."""


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
        self._tokens, self._deadline, self._clock = tokens, deadline, clock
        self._http = httpx.Client(
            transport=transport,
            timeout=timeout,
            trust_env=False,
            follow_redirects=False,
            # Nothing bounds what a compressed answer inflates to, so none is asked for and none is inflated.
            headers={"Accept-Encoding": "identity", "Accept": "application/json"},
        )

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
        body: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Call the integration with the user's own credential; the JSON object out of Paragon's `output`.

        Slack's `ok: false` raises `SlackRefused` with its word, or `Unavailable` for `ratelimited`.
        """
        url = f"{self._proxy}/{quote(integration, safe='')}/{quote(path.lstrip('/'), safe='/')}"
        answer = _object(self._call(method, url, connection, params=params, body=body))
        output = _object(answer.get("output", answer))
        if output.get("ok") is False:
            raise _slack_refusal(word(output.get("error")))
        return output

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _call(
        self,
        method: str,
        url: str,
        connection: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> object:
        """One request; the answer's JSON, None where there is none. Not 2xx and no answer raise."""
        headers = {"Authorization": f"Bearer {self._tokens.token(connection)}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        # In ASCII, so that somebody else's metadata goes back as it came, half surrogate pairs and all.
        content = None if body is None else json.dumps(body).encode()
        ends = time.monotonic() + self._deadline
        with _failures(), self._http.stream(method, url, params=params, content=content, headers=headers) as response:
            answer = _json(_read(response, ends))
        if not response.is_success:
            wait = retry_after(response.headers.get("Retry-After"), self._clock())
            raise refusal(response.status_code, answer, wait)
        return answer


def _read(response: httpx.Response, ends: float) -> bytes:
    """The answer, within its size and the call's time (`ends`, monotonic seconds)."""
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise Unavailable("paragon_answer_encoded")
    body = bytearray()
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > ANSWER_LIMIT:
            raise Unavailable("paragon_answer_too_long")
        if time.monotonic() > ends:
            raise Unavailable("paragon_deadline")
    return bytes(body)


@contextmanager
def _failures() -> Iterator[None]:
    """Transport errors in our words. A wrong certificate is no outage: somebody must look at it."""
    try:
        yield
    except httpx.TimeoutException:
        raise Unavailable("paragon_timeout") from None
    except httpx.TransportError as error:
        if _is_certificate(error):
            raise AccessRefused(0, "certificate") from None
        raise Unavailable("paragon_unreachable") from None


def _is_certificate(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__ or error.__context__
    return error is not None


def _json(body: bytes) -> object:
    try:
        answer: object = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return answer


def _object(answer: object) -> dict[str, Any]:
    if not isinstance(answer, dict):
        raise Unavailable("paragon_answer")
    return answer


def _slack_refusal(error: str) -> Exception:
    """Slack answers its refusals with 200; a rate limit is the one among them that time alone mends."""
    return Unavailable("slack_ratelimited") if error == "ratelimited" else SlackRefused(200, error)

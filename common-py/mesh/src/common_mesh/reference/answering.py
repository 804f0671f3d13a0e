"""PROTOCOL.md without I/O: a request in, a reply out. The server and the fake both speak through this."""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import unquote

from common_mesh import encoding, wire
from common_mesh.reference.paging import BadQuery, page_of_effects, page_of_records
from common_mesh.reference.store import Busy, KeyReused, Request, Space, Store

JSON = "application/json"
MAX_KEY = 128


class Caps(NamedTuple):
    """What one batch may hold: records, and bytes both before and after inflation."""

    records: int = 5_000
    bytes: int = 8 * 1024 * 1024


class Asked(NamedTuple):
    """A request as it came: the path still percent-encoded, header names in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer ready to send. `outcomes` is a batch's letters, for the metrics."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    outcomes: str = ""


class Wire:
    """Speaks for one store. `token` is the bearer token that every `/v1` request must carry, None for no check."""

    def __init__(self, store: Store, *, token: str | None = None, caps: Caps | None = None) -> None:
        self.caps = caps or Caps()
        self._store = store
        self._token = token
        self._reads: dict[str, Callable[[Space, Asked], Reply]] = {
            "count": self._count,
            "records": self._records,
            "effects": self._effects,
        }

    def refusal(self, asked: Asked) -> Reply | None:
        """401, 405, 413 or 404 where the head alone decides it: ask before reading the body."""
        if not self._authorised(asked):
            return problem(401, "a valid bearer token is needed", headers={"WWW-Authenticate": "Bearer"})
        wanted = "POST" if asked.path.endswith("/batches") else "GET"
        if asked.method not in (wanted, "HEAD" if wanted == "GET" else wanted):
            return problem(405, "not with this method", headers={"Allow": wanted})
        length = asked.headers.get("content-length", "0")
        return self.too_large() if length.isdigit() and int(length[:19]) > self.caps.bytes else None

    def answer(self, asked: Asked) -> Reply:
        """The reply. Never raises for anything that a client can send."""
        refused = self.refusal(asked)
        if refused is not None:
            return refused
        try:
            return self._routed(asked)
        except BadQuery as error:
            return problem(400, str(error))
        except Busy:
            return problem(503, "the store is busy", headers={"Retry-After": "1"})

    def too_large(self) -> Reply:
        """413, with the limits that hold here."""
        return problem(413, "the batch is too large", max_records=self.caps.records, max_bytes=self.caps.bytes)

    def _authorised(self, asked: Asked) -> bool:
        if self._token is None:
            return True
        given = asked.headers.get("authorization", "")
        return hmac.compare_digest(given.encode(), f"Bearer {self._token}".encode())

    def _routed(self, asked: Asked) -> Reply:
        match [unquote(part) for part in asked.path.strip("/").split("/")]:
            case ["v1"]:
                return self._spaces()
            case ["v1", org, module, "counts"]:
                return self._counts(org, module)
            case ["v1", org, module, model, "batches"]:
                return self._batch(Space(org, module, model), asked)
            case ["v1", org, module, model, leaf] if leaf in self._reads:
                return self._reads[leaf](Space(org, module, model), asked)
        return problem(404, "there is nothing at this path")

    def _batch(self, space: Space, asked: Asked) -> Reply:
        if not all(space):
            return problem(404, "organisation, module and model must not be empty")
        key = asked.headers.get("idempotency-key")
        if key is not None and not 0 < len(key) <= MAX_KEY:
            return problem(400, f"an Idempotency-Key has 1 to {MAX_KEY} characters")
        coding = asked.headers.get("content-encoding", "identity").strip().lower()
        try:
            body = encoding.inflate(asked.body, coding, self.caps.bytes)
        except encoding.TooLarge:
            return self.too_large()
        except encoding.Broken:
            return problem(400, "the body is not what its Content-Encoding says")
        except encoding.Unsupported:
            return problem(415, "unknown Content-Encoding", headers={"Accept-Encoding": ", ".join(encoding.CODINGS)})
        return self._applied(space, body, key)

    def _applied(self, space: Space, body: bytes, key: str | None) -> Reply:
        lines = body.removesuffix(b"\n").split(b"\n") if body else []
        if len(lines) > self.caps.records:
            return self.too_large()
        request = None if key is None else Request(key, hashlib.sha256(body).hexdigest())
        try:
            answer = self._store.apply(space, lines, request)
        except KeyReused:
            return problem(422, "this Idempotency-Key came with another body before")
        return Reply(200, wire.answer(answer.outcomes, answer.rejected), {"Content-Type": JSON}, answer.outcomes)

    def _spaces(self) -> Reply:
        found = self._store.spaces().items()
        return _json({"spaces": [{**space._asdict(), "count": count} for space, count in found]})

    def _counts(self, org: str, module: str) -> Reply:
        return _json({"counts": {space.model: n for space, n in self._store.spaces(org, module).items()}})

    def _count(self, space: Space, _: Asked) -> Reply:
        return _json({"count": self._store.count(space)})

    def _records(self, space: Space, asked: Asked) -> Reply:
        return Reply(200, page_of_records(self._store, space, asked.query), {"Content-Type": JSON})

    def _effects(self, space: Space, asked: Asked) -> Reply:
        page = page_of_effects(self._store, space, asked.query)
        if page is None:
            return problem(404, "the effects log is off")
        return Reply(200, page, {"Content-Type": JSON})


def problem(status: int, title: str, headers: Mapping[str, str] | None = None, **more: int) -> Reply:
    """An RFC 9457 answer. Titles are constant: nothing of the request comes back in them."""
    body = json.dumps({"title": title, "status": status, **more}).encode()
    return Reply(status, body, {"Content-Type": "application/problem+json", **(headers or {})})


def _json(document: object) -> Reply:
    return Reply(200, json.dumps(document).encode(), {"Content-Type": JSON})

"""`FakeMesh`: give it to an engine as its transport.

fake = FakeMesh()
engine = MeshEngine("http://mesh", transport=fake)
fake.fail(503, retry_after=2)          # the next batch gets it
fake.reset_after_accepting()           # applied, and the answer lost
fake.reject("T1:C1:1.2", "bad_text")   # that id, whenever it comes
"""

import json
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import httpx

from common_mesh import encoding
from common_mesh.reference.answering import Asked, Caps, Reply, Wire, problem
from common_mesh.reference.memory import MemoryStore
from common_mesh.reference.store import Filters, LoggedEffect, Space
from common_mesh.wire import LETTERS

Fault = Callable[[httpx.Request, Callable[[], httpx.Response]], httpx.Response]
"""Stands between the client and the mesh for one batch: calls the second argument if the mesh shall see it."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One batch request as it came, answered or not."""

    path: str
    key: str | None
    coding: str
    records: int
    authorization: str | None


class FakeMesh(httpx.BaseTransport):
    """An in-memory mesh with the semantics of PROTOCOL.md: versions, fences, effects, idempotency. Thread-safe."""

    def __init__(self, *, token: str | None = None, caps: Caps | None = None) -> None:
        self.seen: list[Seen] = []
        self._store = MemoryStore()
        self._wire = Wire(self._store, token=token, caps=caps)
        self._faults: deque[Fault] = deque()
        self._rejected: dict[str, str] = {}
        self._lock = threading.Lock()

    # What it is told.

    def fail(self, status: int, *, retry_after: float | str | None = None, times: int = 1) -> None:
        """Answer the next `times` batches with `status`, unapplied."""
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        reply = problem(status, "told to fail", headers=headers)
        self.fault(lambda request, _: _response(reply, request), times=times)

    def reset_before_accepting(self, *, times: int = 1) -> None:
        """Cut the connection before the batch is read."""
        self.fault(_cut, times=times)

    def reset_after_accepting(self, *, times: int = 1) -> None:
        """Apply the batch, then cut the connection: the client cannot know."""
        self.fault(_cut_after, times=times)

    def fault(self, fault: Fault, *, times: int = 1) -> None:
        """Put any fault before the next `times` batches."""
        with self._lock:
            self._faults.extend([fault] * times)

    def reject(self, id: str, reason: str) -> None:  # noqa: A002 - the wire's own word
        """Reject this id, alone, in every batch from now on."""
        self._rejected[id] = reason

    # What it tells.

    def live(self, org: str, module: str, model: str) -> dict[str, dict[str, Any]]:
        """Live records by id."""
        return self._records(Space(org, module, model), Filters())

    def everything(self, org: str, module: str, model: str) -> dict[str, dict[str, Any]]:
        """Records by id, the deleted and the dead too."""
        return self._records(Space(org, module, model), Filters(all=True))

    def effects(self, org: str, module: str, model: str) -> list[LoggedEffect]:
        """Every applied change, in order."""
        return self._store.effects(Space(org, module, model), 0, 2**31) or []

    def _records(self, space: Space, filters: Filters) -> dict[str, dict[str, Any]]:
        return {rid: json.loads(body) for rid, body in self._store.records(space, "", 2**31, filters)}

    # How it answers.

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """What httpx calls."""
        body = request.read()
        if request.method != "POST":
            return self._answer(request, body)
        with self._lock:
            self.seen.append(_seen(request, body))
            fault = self._faults.popleft() if self._faults else None
        if fault is None:
            return self._answer(request, body)
        return fault(request, lambda: self._answer(request, body))

    def _answer(self, request: httpx.Request, body: bytes) -> httpx.Response:
        path = request.url.raw_path.split(b"?", 1)[0].decode()
        asked = Asked(request.method, path, dict(request.url.params), dict(request.headers), body)
        if not self._rejected or request.method != "POST":
            return _response(self._wire.answer(asked), request)
        return self._partly(asked, request)

    def _partly(self, asked: Asked, request: httpx.Request) -> httpx.Response:
        """Keep the rejected ids from the store, and put them back into the answer in their places."""
        lines = encoding.inflate(asked.body, asked.headers.get("content-encoding", "identity"), 2**31).splitlines()
        ids = [json.loads(line).get("id") for line in lines]
        kept = [line for line, rid in zip(lines, ids, strict=True) if rid not in self._rejected]
        headers = {**asked.headers, "content-encoding": "identity", "content-length": "0"}
        reply = self._wire.answer(asked._replace(body=b"\n".join(kept), headers=headers))
        if reply.status != 200:
            return _response(reply, request)
        return httpx.Response(200, json=self._merged(json.loads(reply.body), ids), request=request)

    def _merged(self, answer: dict[str, Any], ids: Iterable[str]) -> dict[str, Any]:
        letters, reasons = iter(answer["outcomes"]), iter(answer["rejected"])
        outcomes, rejected = "", []
        for index, rid in enumerate(ids):
            letter = LETTERS["rejected"] if rid in self._rejected else next(letters)
            outcomes += letter
            if rid in self._rejected:
                rejected.append([index, rid, self._rejected[rid]])
            elif letter == LETTERS["rejected"]:
                rejected.append([index, *next(reasons)[1:]])
        return {"outcomes": outcomes, "rejected": rejected}


def _response(reply: Reply, request: httpx.Request) -> httpx.Response:
    return httpx.Response(reply.status, content=reply.body, headers=reply.headers, request=request)


def _cut(request: httpx.Request, _: Callable[[], httpx.Response]) -> httpx.Response:
    raise httpx.WriteError("told to cut before accepting", request=request)


def _cut_after(request: httpx.Request, accept: Callable[[], httpx.Response]) -> httpx.Response:
    accept()
    raise httpx.ReadError("told to cut after accepting", request=request)


def _seen(request: httpx.Request, body: bytes) -> Seen:
    headers = request.headers
    coding = headers.get("content-encoding", "identity")
    try:
        records = encoding.inflate(body, coding, 2**31).count(b"\n")
    except ValueError:
        records = 0
    path = request.url.raw_path.decode()
    return Seen(path, headers.get("idempotency-key"), coding, records, headers.get("authorization"))

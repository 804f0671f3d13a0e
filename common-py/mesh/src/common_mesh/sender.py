"""One batch to the mesh: attempts, codings, halves, until its deadline."""

import logging
import random
import time
import uuid
from typing import NamedTuple, NoReturn

import httpx

from common_mesh import encoding, wire
from common_mesh.batches import Batch, Limits
from common_mesh.breaker import Breaker
from common_mesh.encoding import CODINGS, Coding
from common_mesh.errors import MeshError, ProtocolError, Refused, Unavailable
from common_mesh.exchange import OtherCoding, TooLarge, TryAgain, exchange
from common_mesh.policy import Policy
from common_mesh.report import Rejection, Report
from common_mesh.retry import wait
from common_mesh.tokens import Token, bearer, current

log = logging.getLogger("common_mesh")


class _Parcel(NamedTuple):
    """A batch ready for the wire. The key is the same for every attempt: the mesh answers a repeat as it did before."""

    batch: Batch
    body: bytes
    key: str


class Sender:
    """What an engine's sessions share: client, limits, breaker and the coding that the mesh understands."""

    def __init__(self, client: httpx.Client, token: Token, policy: Policy) -> None:
        self.limits = Limits(policy.max_records, policy.max_bytes)
        self._client = client
        self._token = token
        self._policy = policy
        self._draw = random.Random()
        self._breaker = Breaker(policy, time.monotonic, self._draw)
        self._coding: Coding = "zstd"

    def deliver(self, path: str, batch: Batch) -> Report:
        """Send the batch, in halves where it is too large. Raises `MeshError` with what was acknowledged."""
        deadline = time.monotonic() + self._policy.deadline
        report, waiting = Report(), [batch]
        try:
            while waiting:
                part = waiting.pop()
                try:
                    self._breaker.admit()
                    self._post(path, part, deadline, report)
                except TooLarge as error:
                    self.limits.lower(error.records, error.bytes)
                    waiting.extend(_smaller(part, report))
        except MeshError as error:
            error.report = report
            raise
        return report

    def _post(self, path: str, part: Batch, deadline: float, report: Report) -> None:
        parcel = _Parcel(part, part.body, uuid.uuid4().hex)
        for attempt in range(self._policy.attempts):
            try:
                answer = self._attempt(path, parcel, deadline, report)
            except TryAgain as error:
                self._pause(error, attempt, deadline)
            except (TooLarge, MeshError):
                self._breaker.succeeded()  # a mesh that says no is up
                raise
            else:
                self._breaker.succeeded()
                _count(answer, part, report)
                return

    def _attempt(self, path: str, parcel: _Parcel, deadline: float, report: Report) -> bytes:
        while True:
            coding, token = self._coding, current(self._token)
            try:
                request = self._request(path, parcel, coding, token, report)
                return exchange(self._client, self._policy, request, deadline)
            except OtherCoding as error:
                self._coding = _other(coding, error.accepted)
            except Refused as error:
                if error.status == 401 and current(self._token) != token:
                    raise TryAgain("the token was replaced on the way") from error
                raise

    def _request(self, path: str, parcel: _Parcel, coding: Coding, token: str | None, report: Report) -> httpx.Request:
        body = encoding.compress(parcel.body, coding)
        report.bytes += len(body)
        headers = {
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "Content-Type": wire.NDJSON,
            "Content-Encoding": coding,
            "Idempotency-Key": parcel.key,
        }
        return self._client.build_request("POST", path, content=body, headers={**headers, **bearer(token)})

    def _pause(self, error: TryAgain, attempt: int, deadline: float) -> None:
        pause = wait(self._policy, attempt, error.retry_after, self._draw)
        last = attempt + 1 >= self._policy.attempts
        if last or time.monotonic() + pause >= deadline:
            self._give_up(error)
        log.info("mesh asked again", extra={"attempt": attempt + 1, "pause": round(pause, 3), "why": error.what})
        time.sleep(pause)

    def _give_up(self, error: TryAgain) -> NoReturn:
        if error.limited:
            self._breaker.succeeded()
        else:
            self._breaker.failed(error.retry_after)
        raise Unavailable(error.what, retry_after=error.retry_after) from error


def _smaller(part: Batch, report: Report) -> list[Batch]:
    """The halves, first one last: it is taken next. A single record that is too large is rejected."""
    if len(part.entries) > 1:
        return list(reversed(part.halves()))
    (entry,) = part.entries
    report.rejected.append(Rejection(entry.at, entry.id, "too_large"))
    return []


def _other(tried: Coding, accepted: tuple[Coding, ...]) -> Coding:
    rest = CODINGS[CODINGS.index(tried) + 1 :]
    for coding in accepted or rest:
        if coding in rest:
            return coding
    raise Refused("the mesh inflates none of our codings", status=415)


def _count(answer: bytes, part: Batch, report: Report) -> None:
    try:
        outcomes, rejected = wire.read_answer(answer, len(part.entries))
    except wire.BadAnswer as error:
        raise ProtocolError(f"the answer of the mesh {error}") from None
    report.batches += 1
    report.created += outcomes.count(wire.LETTERS["created"])
    report.updated += outcomes.count(wire.LETTERS["updated"])
    report.unchanged += outcomes.count(wire.LETTERS["unchanged"])
    report.stale += outcomes.count(wire.LETTERS["stale"])
    report.rejected += [_placed(part, rejection) for rejection in rejected]


def _placed(part: Batch, rejection: Rejection) -> Rejection:
    entry = part.entries[rejection.index]
    return Rejection(entry.at, entry.id if entry.id is not None else rejection.id, rejection.reason)

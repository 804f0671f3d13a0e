"""Routes for whoever builds the workflows: a callback's body held against the contract, and kept nowhere.

`POST /v1/workflow-check` tells an operator what would happen to a body. `POST /v1/workflow-check/probes/{id}` is where
the trial run of `./sluice doctor --paragon` posts: it answers as the webhook would, and keeps only its verdict.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from api.access import Known, Operator, core_router, not_found
from api.answers import problems
from api.body import BadBody, ClientGone, TooLarge, read_body
from api.problems import Problem, problem_of, too_large
from api.verify import RawHeaders, Unauthorized, Verifier
from pipeline.contract import Signature, Terms, Verdict, check, guess_kind
from pipeline.envelope import EnvelopeError, Kind, read_query
from pipeline.store.probes import Probes

PATH: Final = "/v1/workflow-check"
_PROBE_SECONDS: Final = 30.0
_EXAMPLE: Final = {"channel": "C05019B47SB", "nextCursor": "", "messages": [{"ts": "1681413834.502859", "text": "Hi"}]}
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "description": "The callback's body, as the workflow posts it.",
        "required": True,
        "content": {"application/json": {"schema": {"type": "object"}, "example": _EXAMPLE}},
    }
}


class FindingShown(BaseModel):
    """One thing that is wrong, in the way, or worth a note."""

    level: Annotated[str, Field(description="`fail`, `warn` or `note`.", examples=["warn"])]
    field: Annotated[str, Field(description="Of the envelope or of a record.", examples=["next_cursor"])]
    says: Annotated[str, Field(examples=["`next_cursor` is missing, and `nextCursor` looks like it."])]


class VerdictShown(BaseModel):
    """What would happen to a callback. It holds names of fields and counts, and nothing that was sent."""

    kind: Annotated[str, Field(description="`messages`, `channels` or `users`.", examples=["messages"])]
    status: Annotated[int, Field(description="What the webhook would answer.", examples=[202])]
    says: Annotated[str, Field(examples=["It would get 202 and be kept."])]
    proves: Annotated[bool, Field(description="Whether the page counts as proof.")]
    records: int
    unidentified: Annotated[int, Field(description="Records that would be dead letters.")]
    findings: list[FindingShown]


def signature(verifier: Verifier, headers: RawHeaders, now: float) -> tuple[Signature, bool]:
    """Who signed a callback, and whether messages are taken from him outside a run. `now` in Unix seconds."""
    listed = [(name, value) for name, value in headers if name == b"authorization"]
    for kind, by in (("messages", "run"), ("users", "secret")):
        try:
            sender = verifier.authenticate(kind, listed, now)  # type: ignore[arg-type] # of literals
        except Unauthorized:
            continue
        if by == "run" and sender.connection is not None:
            return Signature(by="run", connection=sender.connection, run=sender.run, attempt=sender.attempt), False
        return Signature(by="secret"), kind == "messages"
    return Signature(by="stranger" if listed else "missing"), False


def shown(verdict: Verdict) -> VerdictShown:
    """The verdict as it is answered."""
    plain: dict[str, Any] = msgspec.to_builtins(verdict)
    return VerdictShown(
        **{name: plain[name] for name in plain if name in VerdictShown.model_fields}, proves=verdict.proves
    )


def workflow_check_router(verifier: Verifier, *, body_limit: int, clock: Callable[[], float] = time.time) -> APIRouter:
    """Both routes. `body_limit` in bytes is the webhooks'; `clock` gives Unix seconds."""
    both = APIRouter()
    both.include_router(_for_operators(verifier, body_limit, clock))
    both.include_router(_for_trials(verifier, body_limit, clock))
    return both


def _for_operators(verifier: Verifier, body_limit: int, clock: Callable[[], float]) -> APIRouter:
    router = core_router("operations")

    @router.post(PATH, responses=problems(403, 413, 422), openapi_extra=_BODY)
    async def check_workflow(
        request: Request,
        _: Operator,
        kind: Annotated[Kind | None, Query(description="Left out: told by the list in the body.")] = None,
        x_callback_authorization: Annotated[
            str | None, Header(description="The callback's own `Authorization`; left out, it is not looked at.")
        ] = None,
    ) -> VerdictShown:
        """Hold a callback's body against the contract: what is missing, misnamed, unsigned, what would happen to it.

        The rest of the query is the callback's query. Nothing is kept, sent or logged.
        """
        body, query = await request.body(), _query(request, "kind")
        signed, outside = Signature(), False
        if x_callback_authorization is not None:
            value = x_callback_authorization.encode("latin-1", "replace")
            signed, outside = signature(verifier, [(b"authorization", value)], clock())
        found = check(kind or guess_kind(body), body, query, signed, Terms(outside_runs=outside, limit=body_limit))
        return shown(found)

    return router


def _for_trials(verifier: Verifier, body_limit: int, clock: Callable[[], float]) -> APIRouter:
    """No token but the probe's id: what posts here is a workflow, which has the trial's run token and nothing else."""
    router = APIRouter()

    @router.post(PATH + "/probes/{probe}", include_in_schema=False)
    async def probe_workflow(request: Request, known: Known, probe: str) -> Response:
        """Answer as the webhook of messages would, and keep the verdict."""
        probes = Probes(known.client)
        if not await run_in_threadpool(probes.is_open, probe):
            raise not_found()
        body, query = await _read(request, body_limit), _query(request)
        signed, outside = signature(verifier, request.scope["headers"], clock())
        media_type = request.headers.get("content-type", "application/json")
        terms = Terms(outside_runs=outside, limit=body_limit, media_type=media_type)
        found = check("messages", body, query, signed, terms)
        await run_in_threadpool(probes.add, probe, found)
        return Response(shown(found).model_dump_json(), found.status, media_type="application/json")

    return router


def _query(request: Request, *ours: str) -> dict[str, str]:
    """The callback's query. Raises `Problem(400|422)`."""
    try:
        query = read_query(request.scope.get("query_string", b""))
    except EnvelopeError as error:
        raise problem_of(error) from None
    return {name: value for name, value in query.items() if name not in ours}


async def _read(request: Request, limit: int) -> bytes:
    encoded = request.headers.get("content-encoding", "").strip().lower() in ("gzip", "x-gzip")
    try:
        async with asyncio.timeout(_PROBE_SECONDS):
            return await read_body(request.receive, limit=limit, encoding="gzip" if encoded else "identity")
    except TooLarge:
        raise too_large(limit) from None
    except TimeoutError:
        raise Problem(408, "slow-body", "The body took too long", headers={"Connection": "close"}) from None
    except (BadBody, ClientGone):
        raise Problem(400, "malformed", "The body is not what its headers say") from None

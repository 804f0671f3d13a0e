import asyncio
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Body, FastAPI, Query
from pydantic import BaseModel, ConfigDict

from api import problems
from api.problems import Problem, problem_of
from pipeline.envelope import EnvelopeError
from pipeline.errors import Rejected, SluiceError, Unavailable

CANARY = "canary-3F"


class Wanted(BaseModel):
    model_config = ConfigDict(extra="forbid")
    channels: list[int]
    labels: dict[str, int] = {}


@pytest.fixture
def app() -> FastAPI:
    app = FastAPI()
    problems.install(app)

    @app.put("/wanted")
    def wanted(body: Wanted, limit: Annotated[int, Query()] = 1) -> None: ...

    @app.put("/free")
    def free(body: Annotated[dict[str, int], Body()]) -> None: ...

    @app.get("/problem")
    def problem() -> None:
        raise Problem(412, "stale", "Stale", "Read it again.", version="7")

    @app.get("/unavailable")
    def unavailable() -> None:
        raise Unavailable("store", retry_after=2.5)

    @app.get("/bug")
    def bug() -> None:
        raise RuntimeError(CANARY)

    return app


def call(app: FastAPI, method: str, path: str, **request: Any) -> httpx.Response:
    async def once() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://sluice.test") as client:
            return await client.request(method, path, **request)

    answer = asyncio.run(once())
    assert answer.headers["content-type"] == "application/problem+json"
    assert CANARY not in answer.text
    return answer


def test_a_problem_has_the_members_of_rfc_9457(app: FastAPI) -> None:
    answer = call(app, "GET", "/problem")
    assert answer.status_code == 412
    assert answer.json() == {
        "type": "urn:sluice:stale",
        "title": "Stale",
        "status": 412,
        "detail": "Read it again.",
        "version": "7",
    }


@pytest.mark.parametrize(
    ("path", "content", "location"),
    [
        ("/wanted", '{"channels": ["%s"]}', "body.channels.0"),
        ("/wanted", '{"channels": "%s"}', "body.channels"),
        ("/wanted", '{"channels": [], "%s": 1}', "body.*"),
        ("/wanted", '{"channels": [], "labels": {"%s": "x"}}', "body.labels.*"),
        ("/wanted?limit=" + CANARY, '{"channels": []}', "query.limit"),
        ("/free", '{"%s": "x"}', "body.*"),
        ("/wanted", '"%s"', "body"),
    ],
)
def test_wrong_input_is_located_and_never_echoed(app: FastAPI, path: str, content: str, location: str) -> None:
    body = content.replace("%s", CANARY)
    answer = call(app, "PUT", path, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert [error["location"] for error in answer.json()["errors"]] == [location]


def test_broken_json_is_located_and_never_echoed(app: FastAPI) -> None:
    answer = call(app, "PUT", "/wanted", content="{" + CANARY, headers={"Content-Type": "application/json"})
    assert answer.json()["errors"][0]["kind"] == "json_invalid"


def test_an_outage_in_a_route_is_a_503_with_a_time(app: FastAPI) -> None:
    answer = call(app, "GET", "/unavailable")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "3")


def test_a_route_that_is_none_is_a_problem_too(app: FastAPI) -> None:
    assert call(app, "GET", "/" + CANARY).json()["type"] == "urn:sluice:not-found"


def test_a_bug_is_a_500_that_says_nothing(app: FastAPI) -> None:
    assert call(app, "GET", "/bug").status_code == 500


@pytest.mark.parametrize(
    ("error", "status"),
    [(EnvelopeError(400, "body", "not_json"), 400), (Rejected("bad_ts", location="latest"), 422)],
)
def test_a_rejection_names_its_place_and_kind(error: Rejected, status: int) -> None:
    problem = problem_of(error)
    assert problem.status == status
    assert problem.extra == {"errors": [{"location": error.location, "kind": error.reason}]}


def test_a_failure_of_no_known_kind_is_a_bug() -> None:
    class Strange(SluiceError):
        pass

    with pytest.raises(Strange):
        problem_of(Strange())

import asyncio
import hashlib
import json
from types import SimpleNamespace
from typing import Any

import fakeredis
import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from api import problems
from api.verify import Verifier
from api.workflow_check import PATH, workflow_check_router
from pipeline.paragon.run_tokens import RunTokens
from pipeline.rules.coverage import covered
from pipeline.store.probes import Probes

NOW = 1_700_000_000.0
SECRET, CANARY = "a-shared-secret-of-16", "canary-3P"
TOKENS = RunTokens({"k": SecretStr("k" * 32)})
PAGE = {
    "channel": "C1",
    "thread_ts": "",
    "cursor": "",
    "has_more": False,
    "messages": [{"ts": "1.2", "text": CANARY}],
}


class Routes:
    def __init__(self) -> None:
        self.store = fakeredis.FakeRedis()
        self.app = FastAPI()
        problems.install(self.app)
        digests = {name: (hashlib.sha256(name.encode()).hexdigest(),) for name in ("operator", "org:acme")}
        self.app.state.services = SimpleNamespace(client=self.store, core_tokens=digests)
        verifier = Verifier(TOKENS, [SecretStr(SECRET)])
        self.app.include_router(workflow_check_router(verifier, body_limit=10_000, clock=lambda: NOW))

    def post(self, path: str, body: object = PAGE, bearer: str | None = "operator", **headers: str) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"Content-Type": "application/json", **headers}
        if bearer is not None:
            sent["Authorization"] = f"Bearer {bearer}"

        async def once() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://sluice.test") as client:
                return await client.post(path, content=content, headers=sent)

        return asyncio.run(once())

    def kept(self) -> str:
        return repr({name: self.store.lrange(name, 0, -1) for name in self.store.keys()})  # noqa: SIM118 - no mapping


@pytest.fixture
def routes() -> Routes:
    return Routes()


def run_token(**claims: Any) -> str:
    return TOKENS.mint("ann/acme", "r1", 1, 1, 0, NOW)


def test_an_operator_is_told_and_nothing_is_kept(routes: Routes) -> None:
    answer = routes.post(PATH, {"channelId": "C1", "messages": [{"text": CANARY}]})
    told = answer.json()
    assert (answer.status_code, told["status"], told["kind"]) == (200, 422, "messages")
    assert any("`channelId` looks like it" in one["says"] for one in told["findings"])
    assert CANARY not in answer.text
    assert routes.store.keys() == []


def test_the_rest_of_the_query_is_the_callbacks(routes: Routes) -> None:
    body = {"ok": True, "messages": [], "has_more": False}
    told = routes.post(PATH + "?kind=messages&channel=C1&thread_ts=&cursor=", body).json()
    assert (told["status"], told["proves"]) == (202, True)


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (f"Bearer {SECRET}", 401),
        ("Bearer nobody", 401),
        ("", 401),
        (None, 202),
    ],
)
def test_the_callbacks_own_signature_is_looked_at_where_it_is_given(
    routes: Routes, authorization: str | None, status: int
) -> None:
    headers = {} if authorization is None else {"X-Callback-Authorization": authorization}
    assert routes.post(PATH, **headers).json()["status"] == status


def test_the_run_token_is_known(routes: Routes) -> None:
    headers = {"X-Callback-Authorization": f"Bearer {run_token()}"}
    assert routes.post(PATH, PAGE | {"run_id": "r1"}, **headers).json()["status"] == 202
    assert routes.post(PATH, PAGE | {"run_id": "r2"}, **headers).json()["status"] == 401


@pytest.mark.parametrize(("bearer", "status"), [(None, 401), ("nobody", 401), ("org:acme", 403)])
def test_only_the_operator_may_ask(routes: Routes, bearer: str | None, status: int) -> None:
    assert routes.post(PATH, bearer=bearer).status_code == status


@pytest.mark.parametrize("query", ["kind=posts", "channel=%FF", "a=1&a=2"])
def test_a_query_that_cannot_be_is_a_problem(routes: Routes, query: str) -> None:
    assert routes.post(f"{PATH}?{query}").status_code in (400, 422)


def test_a_probe_answers_as_the_webhook_and_keeps_no_content(routes: Routes) -> None:
    probes = Probes(routes.store)
    probe = probes.open()
    at = f"{PATH}/probes/{probe}"
    assert routes.post(at, bearer=run_token()).status_code == 202
    assert routes.post(at, bearer=None).status_code == 401
    assert routes.post(at, b"{", bearer=run_token()).status_code == 400
    assert routes.post(at, bearer=run_token(), **{"Content-Type": "text/plain"}).status_code == 415
    found = probes.verdicts(probe)
    assert [one.status for one in found] == [202, 401, 400, 415]
    assert covered(found[0].facts, "C1")
    assert CANARY not in routes.kept()
    assert 0 < routes.store.ttl(f"sluice:probe:{probe}") <= 900


@pytest.mark.parametrize("probe", ["0" * 40, "x", "..%2F..", "A" * 40])
def test_a_probe_that_is_not_open_is_not_found(routes: Routes, probe: str) -> None:
    assert routes.post(f"{PATH}/probes/{probe}", bearer=run_token()).status_code == 404
    assert routes.store.keys() == []


def test_a_closed_probe_takes_nothing_more(routes: Routes) -> None:
    probes = Probes(routes.store)
    probe = probes.open()
    probes.close(probe)
    assert routes.post(f"{PATH}/probes/{probe}", bearer=run_token()).status_code == 404


def test_a_body_over_the_limit_is_cut_off(routes: Routes) -> None:
    probe = Probes(routes.store).open()
    assert routes.post(f"{PATH}/probes/{probe}", b" " * 10_001, bearer=run_token()).status_code == 413

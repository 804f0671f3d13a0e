"""docs/rotation.md, step by step under a stream of callbacks: none is refused, none is lost."""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import jwt
import pytest
from core_api import PEM
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from pydantic import SecretStr
from rotation_world import Deployment, deployed
from sluice import CONNECTION

from pipeline.paragon.client import ParagonClient
from pipeline.paragon.token import UserTokens
from workers.schedule import Outgoing, Pulls

OLD_RUN, NEW_RUN = "2026-10:" + "o" * 40, "2026-11:" + "n" * 40
OLD_VAULT, NEW_VAULT = "old:" + "A" * 43 + "=", "new:" + "B" * 42 + "A="
OLD_SECRET, NEW_SECRET = "old-secret-of-the-project", "new-secret-of-the-project"


def run(store: str, broker: str, steps: Callable[[Deployment], Awaitable[None]]) -> None:
    """The steps under the stream; then everything that was acknowledged must be there, and nothing refused."""

    async def everything() -> None:
        async with deployed(store, broker) as made:
            async with made.stream():
                await made.some()
                await steps(made)
                await made.some()
            made.drain()
            assert {status for _, status in made.answers} == {202}, made.answers
            assert made.arrived() == set(made.sent)
            assert len(made.sent) > 50
            assert made.dead() == 0

    asyncio.run(everything())


def test_run_token_keys_change_without_a_page_being_refused(store: str, broker_url: str) -> None:
    async def steps(made: Deployment) -> None:
        await made.restart_api(RUN_TOKEN_KEYS=f"{OLD_RUN},{NEW_RUN}")
        await made.some()
        made.restart_workers(RUN_TOKEN_KEYS=f"{NEW_RUN},{OLD_RUN}")
        await made.some()
        await made.restart_api()
        await made.some()
        assert {jwt.get_unverified_header(token)["kid"] for _, token in made.minted} == {"2026-10", "2026-11"}

    run(store, broker_url, steps)


def test_signing_with_a_key_that_the_api_does_not_know_is_refused_and_so_is_a_key_taken_out(
    store: str, broker_url: str
) -> None:
    """What the order of the steps is for: this is what happens in another one."""

    async def wrong() -> None:
        async with deployed(store, broker_url) as made:
            assert await made.fresh() == 202
            made.restart_workers(RUN_TOKEN_KEYS=f"{NEW_RUN},{OLD_RUN}")
            assert await made.fresh() == 401
            await made.restart_api(RUN_TOKEN_KEYS=NEW_RUN)
            assert await made.fresh() == 202
            assert await made.page(*made.minted[0]) == 401

    asyncio.run(wrong())


def test_the_webhook_secret_changes_without_a_page_being_refused(store: str, broker_url: str) -> None:
    async def steps(made: Deployment) -> None:
        await made.restart_api(WEBHOOK_SECRETS=f"{NEW_SECRET},{OLD_SECRET}")
        await made.some()
        made.secret = NEW_SECRET  # in Paragon: from here executions begin with the new one
        assert await made.directory(OLD_SECRET) == 202, "an execution that began before"
        await made.some()
        await made.restart_api(WEBHOOK_SECRETS=NEW_SECRET)

    run(store, broker_url, steps)


def test_a_webhook_secret_that_was_taken_out_opens_nothing(store: str, broker_url: str) -> None:
    async def old() -> None:
        async with deployed(store, broker_url) as made:
            await made.restart_api(WEBHOOK_SECRETS=NEW_SECRET)
            assert await made.directory(OLD_SECRET) == 401
            assert await made.directory(NEW_SECRET) == 202

    asyncio.run(old())


def test_vault_keys_change_while_entries_of_every_key_wait(store: str, broker_url: str) -> None:
    """Nothing is drained between the steps: the backlog holds what each of them has sealed."""

    async def steps(made: Deployment) -> None:
        for ring in (f"{OLD_VAULT},{NEW_VAULT}", f"{NEW_VAULT},{OLD_VAULT}"):
            await made.restart_api(VAULT_KEYS=ring)
            made.restart_workers()
            await made.some()
        assert made.stores.vault.key_id == "new"

    run(store, broker_url, steps)


def test_entries_whose_key_the_workers_lack_wait_and_are_delivered_when_it_is_there(
    store: str, broker_url: str
) -> None:
    async def hasty() -> None:
        async with deployed(store, broker_url) as made:
            await made.restart_api(VAULT_KEYS=NEW_VAULT)
            assert await made.fresh() == 202
            made.drain()
            assert made.arrived() == set()
            assert made.dead() == 0
            made.restart_workers(VAULT_KEYS=f"{NEW_VAULT},{OLD_VAULT}")
            made.drain()
            assert made.arrived() == set(made.sent)

    asyncio.run(hasty())


def test_core_tokens_of_one_scope_overlap(store: str, broker_url: str) -> None:
    """The core service asks without a pause, and is never told 401."""
    old, new = ("operator=" + hashlib.sha256(token).hexdigest() for token in (b"operator", b"new-operator"))

    async def steps(made: Deployment) -> None:
        told: set[int] = set()
        current, done = ["operator"], asyncio.Event()

        async def core_service() -> None:
            while not done.is_set():
                told.add((await made.api.call("GET", "/v1/status", current[0])).status_code)

        asking = asyncio.create_task(core_service())
        await made.restart_api(CORE_TOKENS=f"{old},{new}")
        await made.some(10)
        current[0] = "new-operator"
        await made.some(10)
        await made.restart_api(CORE_TOKENS=new)
        await made.some(10)
        done.set()
        await asking
        assert told == {200}
        assert (await made.api.call("GET", "/v1/status", "operator")).status_code == 401

    run(store, broker_url, steps)


class Paragon(httpx.BaseTransport):
    """Knows one public key, as the real one does: a new key ends the old one at once."""

    def __init__(self, private: str) -> None:
        self.private, self.meta, self.triggered = private, {}, 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        public: Any = load_pem_private_key(self.private.encode(), password=None).public_key()
        try:
            token = request.headers["Authorization"].removeprefix("Bearer ")
            jwt.decode(token, public, algorithms=["RS256"], options={"verify_aud": False})
        except jwt.InvalidTokenError:
            return httpx.Response(401, json={"code": "unauthorized"})
        if request.method == "POST":
            self.triggered += 1
            return httpx.Response(200, json={})
        if request.method == "PATCH":
            self.meta = httpx.Response(200, content=request.read()).json()["meta"]
        return httpx.Response(200, json={"authenticated": True, "meta": self.meta})


def outgoing(made: Deployment, paragon: Paragon, signing_key: str) -> Outgoing:
    """A worker's calls to Paragon after a restart with that key."""
    client = ParagonClient(
        "p",
        api_url="http://paragon.test",
        trigger_url="http://paragon.test",
        proxy_url="http://paragon.test",
        tokens=UserTokens(SecretStr(signing_key)),
        transport=paragon,
    )
    return Outgoing(made.stores, client, made.run_tokens, Pulls("w", "http://sluice.test/x", 900_000_000))


def test_the_signing_key_changes_with_runs_that_wait_and_callbacks_that_do_not(store: str, broker_url: str) -> None:
    new = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    new_pem = new.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    paragon = Paragon(PEM)

    async def steps(made: Deployment) -> None:
        keys, run_id = made.shards.of(CONNECTION), await asyncio.to_thread(planned, made, paragon)
        paragon.private = new_pem  # generated in Paragon's dashboard: the old one ends now
        assert outgoing(made, paragon, PEM).trigger(run_id) in ("blocked", "unavailable")
        assert paragon.triggered == 0
        await made.some()
        await made.restart_api(PARAGON_SIGNING_KEY=new_pem)
        for what in (f"trigger:{run_id}", f"patch:{CONNECTION}"):
            made.client.zadd(keys.due, {what: 1}, xx=True)
        made.client.hset(keys.run(run_id), "ask_at", 1)
        said = outgoing(made, paragon, new_pem).trigger(run_id)
        assert said.startswith("asked"), said
        assert paragon.triggered == 1

    run(store, broker_url, steps)


def planned(made: Deployment, paragon: Paragon) -> str:
    """A run that waits to be asked for: the directory is complete and the metadata in place."""
    made.client.hset(
        made.shards.of(CONNECTION).connection(CONNECTION),
        mapping={"channels_complete_at": 1, "users_complete_at": 1},
    )
    calls = outgoing(made, paragon, PEM)
    assert calls.patch(CONNECTION) in ("patched", "unchanged")
    until = time.monotonic() + 10
    while not made.stores.ledger.runs.listing(CONNECTION, 1):
        assert time.monotonic() < until
        calls.plan(CONNECTION)
    return made.stores.ledger.runs.listing(CONNECTION, 1)[0].id


@pytest.mark.parametrize("variable", ["RUN_TOKEN_KEYS", "VAULT_KEYS", "WEBHOOK_SECRETS", "CORE_TOKENS"])
def test_the_stream_sees_a_change_that_is_made_at_once(store: str, broker_url: str, variable: str) -> None:
    """The test of the tests: a secret that is exchanged in one step is seen as refused, or as not arrived."""
    values = {"RUN_TOKEN_KEYS": NEW_RUN, "VAULT_KEYS": NEW_VAULT, "WEBHOOK_SECRETS": NEW_SECRET, "CORE_TOKENS": ""}

    async def at_once(made: Deployment) -> None:
        if variable == "CORE_TOKENS":
            await made.restart_api(CORE_TOKENS="operator=" + "0" * 64)
            assert (await made.api.call("GET", "/v1/status", "operator")).status_code != 401
        else:
            await made.restart_api(**{variable: values[variable]})

    with pytest.raises(AssertionError):
        run(store, broker_url, at_once)

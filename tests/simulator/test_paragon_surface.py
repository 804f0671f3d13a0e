"""Paragon's side: tokens, metadata, triggers, proxy."""

import asyncio
import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from simulator.config import SimulatorConfig
from simulator.tokens import BadKey, UserTokens, epoch_of
from tests.simulator.conftest import ROB, run_token

ME = "/projects/project-1/sdk/me"
TRIGGER = "/projects/project-1/sdk/triggers/slack-messages"
PROXY = "/projects/project-1/sdk/proxy/slack/auth.test"


def test_a_good_token_is_its_subject_and_a_bad_one_is_nobody(private_key, public_key):
    tokens, now = UserTokens(public_key), int(time.time())
    good = {"sub": ROB, "iat": now, "exp": now + 60}

    def signed(key=private_key, algorithm="RS256", **changes):
        claims = {name: value for name, value in (good | changes).items() if value is not None}
        return "Bearer " + jwt.encode(claims, key, algorithm)

    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert tokens.subject(signed()) == ROB
    assert tokens.subject(signed(aud="useparagon.com/project-1")) == ROB
    bad = [signed(key=stranger), signed(exp=now - 5), signed(iat=now + 600), signed(sub=None), signed(exp=None),
           signed(iat=None), signed(key="x" * 32, algorithm="HS256"), "Bearer ", "", signed().removeprefix("Bearer "),
           "Bearer " + jwt.encode(good, "", "none")]  # fmt: skip
    assert [tokens.subject(header) for header in bad] == [None] * len(bad)


def test_a_key_that_came_with_literal_newlines_is_understood_and_a_wrong_one_is_a_sentence(public_key):
    UserTokens(public_key.replace("\n", "\\n"))
    with pytest.raises(BadKey, match="RSA public key"):
        UserTokens("not a key")


def test_the_epoch_of_a_run_token_is_read_without_its_key():
    assert epoch_of(run_token(epoch=17)) == 17
    assert [epoch_of(token) for token in ("", "a.b.c", "a", run_token(epoch="17"), run_token())] == [None] * 5


def test_a_bad_token_is_an_answer_from_me_and_401_elsewhere(bench):
    async def story():
        async with bench() as b:
            b.http.headers["Authorization"] = "Bearer nonsense"
            assert (await b.get(ME)) == {"authenticated": False}
            for response in (
                await b.http.patch(ME, json={"meta": {}}),
                await b.http.post(TRIGGER, json={}),
                await b.http.get(PROXY),
            ):
                assert response.status_code == 401
                assert response.json()["meta"] == {"isIntegrationError": False}
                assert set(response.json()) == {"message", "code", "status", "meta"}

    asyncio.run(story())


def test_another_projects_path_knows_nobody(bench):
    async def story():
        async with bench() as b:
            assert await b.get("/projects/other/sdk/me") == {"authenticated": False}

    asyncio.run(story())


def test_me_shows_slack_before_and_after_the_user_connects(bench):
    async def story():
        async with bench() as b:
            assert (await b.get(ME))["integrations"]["slack"]["enabled"] is False
            team = (await b.connect())["team"]
            me = await b.get(ME)
            slack = me["integrations"]["slack"]
            assert (me["authenticated"], me["userId"], slack["enabled"]) == (True, ROB, True)
            assert (slack["credentialStatus"], slack["providerData"]["team"]["id"]) == ("VALID", team)

    asyncio.run(story())


def test_metadata_is_kept_and_a_patch_replaces_all_of_it(bench):
    async def story():
        async with bench() as b:
            await b.http.patch(ME, json={"meta": {"Email": "a@example.com", "plan": 1}})
            await b.http.patch(ME, json={"meta": {"userid": ROB, "allowListedChannels": ["C1"]}})
            assert (await b.get(ME))["meta"] == {"userid": ROB, "allowListedChannels": ["C1"]}
            for body in ({"userid": ROB}, {"meta": []}, []):
                assert (await b.http.patch(ME, json=body)).status_code == 400
            assert (await b.get(ME))["meta"]["userid"] == ROB
            b.http.headers["Authorization"] = f"Bearer {b.token(sub='someone/else')}"
            assert (await b.get(ME))["meta"] == {}

    asyncio.run(story())


def test_a_trigger_is_202_at_once_and_what_cannot_start_is_refused(bench):
    async def story():
        async with bench() as b:
            assert (await b.trigger(["C1"])).status_code == 400  # Slack is not connected yet.
            await b.connect()
            assert (await b.trigger(["C1"])).status_code == 202
            assert (await b.http.post("/projects/project-1/sdk/triggers/unknown", json={})).status_code == 404
            assert (await b.http.post(TRIGGER, content=b"not json")).status_code == 400
            assert (await b.http.post(TRIGGER, json={})).status_code == 202  # It fails later, as a workflow does.
            assert (await b.idle())["executions"]["failed"] == 1

    asyncio.run(story())


def test_triggers_are_remembered_without_their_tokens(bench):
    async def story():
        async with bench() as b:
            await b.connect()
            await b.trigger(["C1"])
            await b.trigger(["C1"])
            await b.idle()
            seen = await b.get("/_sim/triggers")
            assert seen["times"] == [{"run_id": "run-1", "attempt": "1", "times": 2}]
            assert seen["triggers"][0]["body"]["run_token"] is True
            assert "header." not in str(seen)

    asyncio.run(story())


def test_the_proxy_wraps_slacks_answer_unless_asked_raw(bench):
    async def story():
        async with bench() as b:
            assert (await b.http.get(PROXY)).status_code == 400
            team = (await b.connect())["team"]
            wrapped = await b.http.get(PROXY)
            raw = await b.http.get(PROXY, headers={"X-Paragon-Use-Raw-Response": "1"})
            assert wrapped.json()["output"]["team_id"] == raw.json()["team_id"] == team
            assert "x-slack-req-id" in raw.headers
            assert "x-slack-req-id" not in wrapped.headers
            posted = await b.http.post(PROXY.replace("auth.test", "conversations.info"), data={"channel": "C9"})
            assert posted.json() == {"output": {"ok": False, "error": "channel_not_found"}}

    asyncio.run(story())


def test_slack_itself_wants_the_workspaces_own_token(bench):
    async def story():
        async with bench(connections=2) as b:
            first, second = await b.connect("a/org"), await b.connect("b/org")
            assert first["team"] != second["team"]
            response = await b.http.get("/slack/api/auth.test", headers={"Authorization": "Bearer xoxp-wrong"})
            assert response.json() == {"ok": False, "error": "invalid_auth"}

    asyncio.run(story())


def test_secrets_do_not_show_in_the_configuration(public_key):
    from pydantic import SecretStr

    config = SimulatorConfig(public_key, "p", webhook_secret=SecretStr("hush"))
    assert "hush" not in repr(config)

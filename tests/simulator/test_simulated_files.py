"""Files of messages through Paragon's proxy: raw they are the provider's answer, wrapped they are broken."""

import asyncio
from urllib.parse import urlsplit

import pytest

from simulator.slack.files import CHUNK, content, hosted

PROXY = "/projects/project-1/sdk/proxy/slack"
RAW = {"X-Paragon-Use-Raw-Response": "1"}
PLACE = {"connection": "rob@rootsystem.com/end10843", "text": "the plan"}
FILE = {"name": "plan.png", "mimetype": "image/png", "size": CHUNK + 17}


def test_a_file_of_a_message_is_sent_raw_with_slacks_headers_and_the_same_each_time(bench):
    async def story():
        async with bench() as b:
            channel = (await b.connect())["channels"][0]
            said = await b.http.post("/_sim/messages", json=PLACE | {"channel": channel, "file": FILE})
            file = said.json()["file"]
            history = await b.get(f"{PROXY}/conversations.history", channel=channel, limit="1")
            assert history["output"]["messages"][0]["files"] == [file]
            wanted = b"".join(content(file))
            for name in ("url_private", "url_private_download"):
                answer = await b.http.get(PROXY + urlsplit(file[name]).path, headers=RAW)
                assert (answer.status_code, answer.content) == (200, wanted)
                assert answer.headers["content-type"] == "image/png"
                assert answer.headers["content-disposition"] == 'attachment; filename="plan.png"'
                assert answer.headers["content-length"] == str(FILE["size"])
            wrapped = await b.http.get(PROXY + urlsplit(file["url_private"]).path)
            assert wrapped.json()["output"].encode() != wanted
            assert "content-disposition" not in wrapped.headers

    asyncio.run(story())


@pytest.mark.parametrize("path", ["files-pri/T1-F1/a.png", "files-pri/x", "files-pri/T1-F1/"])
def test_a_file_that_is_not_there_is_slacks_404(bench, path):
    async def story():
        async with bench() as b:
            await b.connect()
            assert (await b.http.get(f"{PROXY}/{path}", headers=RAW)).headers["content-type"].startswith("text/html")
            answer = await b.http.get(f"{PROXY}/{path}")
            assert (answer.status_code, answer.json()["meta"]) == (404, {"isIntegrationError": True})

    asyncio.run(story())


def test_a_rate_limit_that_the_bench_sets_ends_by_itself(bench):
    async def story():
        async with bench() as b:
            await b.connect()
            assert (await b.http.post("/_sim/limit", json={"calls": 2, "retry_after": 7})).status_code == 200
            raw = await b.http.get(f"{PROXY}/auth.test", headers=RAW)
            assert (raw.status_code, raw.headers["retry-after"]) == (429, "7")
            wrapped = await b.http.get(f"{PROXY}/auth.test")
            assert (wrapped.status_code, wrapped.headers.get("retry-after")) == (429, None)
            assert (await b.http.get(f"{PROXY}/auth.test")).status_code == 200
            for wrong in ({}, {"calls": -1}, {"calls": "1"}, {"calls": 1, "retry_after": 0.5}):
                assert (await b.http.post("/_sim/limit", json=wrong)).status_code == 400

    asyncio.run(story())


def test_a_message_takes_no_file_without_a_size(bench):
    async def story():
        async with bench() as b:
            channel = (await b.connect())["channels"][0]
            for wrong in ("a.png", {"name": "a"}, FILE | {"size": "1"}, FILE | {"name": ""}):
                said = await b.http.post("/_sim/messages", json=PLACE | {"channel": channel, "file": wrong})
                assert said.status_code == 400, wrong

    asyncio.run(story())


def test_an_empty_file_is_empty():
    assert list(content(hosted("T1", "F1", "a.png", "image/png", 0, "U1"))) == []

"""docs/workflows.md and its executable twin say the same: what the page shows is what the simulator does."""

import asyncio
import json
import re
from pathlib import Path
from urllib.parse import parse_qsl

import httpx
import pytest
from pydantic import SecretStr
from starlette.types import Receive, Scope, Send

from simulator.callbacks import Courier
from simulator.config import SimulatorConfig
from simulator.ledger import Ledger
from simulator.slack.api import SlackApi
from simulator.slack.channel import Channel
from simulator.slack.workspace import Workspace
from simulator.workflows import Engine

PAGE = (Path(__file__).parents[2] / "docs" / "workflows.md").read_text(encoding="utf-8")
EXAMPLE = re.compile(r"<!-- (?P<name>[^>]+?) -->\n```(?:json)?\n(?P<body>.*?)```", re.S)
EXAMPLES = {match["name"]: match["body"] for match in EXAMPLE.finditer(PAGE)}
CONNECTION = "3f0d2c5e-8a1b-4c1d-9e2f-5a6b7c8d9e0f/acme"
TRIGGER = json.loads(EXAMPLES["trigger"])
DIRECTORY = json.loads(EXAMPLES["trigger: directory"])
TRIGGERED = "https://sluice.example.com/triggered/channels"


def example(name):
    return json.loads(EXAMPLES[name])


def shape(value):
    """Names and types, two levels deep: what must be the same in the page and on the wire."""
    return {name: type(part).__name__ for name, part in value.items()}


def small_workspace() -> Workspace:
    """The page's channel with the page's messages, and one more so that history has a second page."""
    records = [{"id": c, "name": c, "is_private": False} for c in ("C05019B47SB", "C050FR57M8S", "C061FA5PB")]
    channels = {record["id"]: Channel(record) for record in records}
    general = channels["C05019B47SB"]
    for message in example("posted: messages history")["messages"] + example("posted: messages replies")["messages"]:
        general.add(message)
    general.add({"ts": "1681413317.397479", "text": "older"})
    general.count_replies(1681413834502859)
    return Workspace("T0534672TWT", "example", [{"id": "U0500003428"}], channels)


@pytest.fixture(scope="module")
def run():
    """(Slack calls, posted requests) of all three workflows, the third one started with the page's trigger body."""
    return asyncio.run(execute())


async def execute():
    calls, posted, workspace = [], [], small_workspace()
    slack = SlackApi(lambda token: workspace, 1).app()

    async def recording(scope: Scope, receive: Receive, send: Send) -> None:
        calls.append((scope["path"].rpartition("/")[2], dict(parse_qsl(scope["query_string"].decode()))))
        await slack(scope, receive, send)

    def receive_callback(request: httpx.Request) -> httpx.Response:
        posted.append(request)
        return httpx.Response(202, json={"receipt": "0" * 34})

    config = SimulatorConfig("", "p", webhooks="https://sluice.example.com", webhook_secret=SecretStr("shared"))
    engine = Engine(config, recording, Courier(config, Ledger(), httpx.MockTransport(receive_callback)))
    engine.start_directory("channels", CONNECTION, workspace)
    engine.start_directory("users", CONNECTION, workspace)
    engine.start_directory("channels", CONNECTION, workspace, {**DIRECTORY, "callback_url": TRIGGERED})
    engine.start_messages(CONNECTION, workspace, {**TRIGGER, "channels": [*TRIGGER["channels"], "C0000000000"]})
    while engine.running:  # noqa: ASYNC110 - executions end by themselves; nobody signals it
        await asyncio.sleep(0.01)
    assert engine.counts["failed"] == 0
    await engine.aclose()
    return calls, posted


def bodies(run, kind):
    return [json.loads(r.content) for r in run[1] if r.url.path == f"/v1/webhooks/slack/{kind}"]


def test_the_page_has_every_example():
    assert set(EXAMPLES) == {
        "trigger", "trigger: directory", "headers: channels", "headers: messages", "slack: conversations.list",
        "slack: users.list",
        "slack: conversations.history", "slack: conversations.replies", "posted: channels", "posted: users",
        "posted: messages history", "posted: messages replies", "posted: messages refused",
    }  # fmt: skip


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name.startswith("slack: ")])
def test_slack_is_asked_as_the_page_says(run, name):
    method, said = name.removeprefix("slack: "), example(name)
    first = [args for called, args in run[0] if called == method and "cursor" not in args]
    assert said in first
    assert all(set(args) - set(said) <= {"cursor"} for called, args in run[0] if called == method)


@pytest.mark.parametrize("kind", ["channels", "users"])
def test_directory_pages_look_as_the_page_says(run, kind):
    said, first = example(f"posted: {kind}"), next(b for b in bodies(run, kind) if not b["cursor"])
    assert list(shape(said).items()) == list(shape(first).items())
    assert (first["connection"], first["has_more"]) == (said["connection"], said["has_more"])


def test_message_pages_look_as_the_page_says(run):
    pages = bodies(run, "messages")
    channel = [p for p in pages if p["channel"] == "C05019B47SB"]
    found = {
        "posted: messages history": next(p for p in channel if not p["thread_ts"] and not p["cursor"]),
        "posted: messages replies": next(p for p in channel if p["thread_ts"] and p["cursor"]),
        "posted: messages refused": next(p for p in pages if "ok" in p),
    }
    for name, page in found.items():
        said = example(name)
        assert shape(said) == shape(page), name
        free = {"messages", "cursor"}
        assert {k: v for k, v in said.items() if k not in free} == {k: v for k, v in page.items() if k not in free}


def test_headers_are_what_the_page_says(run):
    for request in run[1]:
        kind = "messages" if request.url.path.endswith("/messages") else "channels"
        secret = TRIGGER["run_token"] if kind == "messages" else "shared"
        names = [line.partition(":")[0].lower() for line in EXAMPLES[f"headers: {kind}"].strip().splitlines()]
        assert names == ["authorization", "content-type"]
        assert request.headers["authorization"] == f"Bearer {secret}"
        assert request.headers["content-type"] == "application/json"


def test_callbacks_go_to_the_url_of_the_trigger(run):
    assert {str(r.url) for r in run[1] if r.url.path.endswith("/messages")} == {TRIGGER["callback_url"]}


def test_a_directory_that_is_triggered_goes_where_the_trigger_says_under_its_run(run):
    posted = [r for r in run[1] if str(r.url) == TRIGGERED]
    assert {json.loads(r.content)["run_id"] for r in posted} == {DIRECTORY["run_id"]}
    assert {r.headers["authorization"] for r in posted} == {"Bearer shared"}

"""docs/events.md is held to the models, the schedule and the library: its examples are events, its receiver works."""

import asyncio
import base64
import json
import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from pipeline.events import EVENTS, MOST_CHANNELS, ConnectionEvent, Ping, body
from pipeline.receiver import DEADLINE_SECONDS
from pipeline.rules.retries import LONGEST_PARK, WAITS
from pipeline.store.dead_events import KEPT_PER_SHARD

PAPER = (Path(__file__).parents[2] / "docs" / "events.md").read_text(encoding="utf-8")
SECRET = f"whsec_{base64.b64encode(bytes(range(32))).decode()}"
SECTIONS = dict(re.findall(r"^### (\S+)\n(.*?)(?=^##)", PAPER, re.M | re.S))
COMMON = {"at", "connection", "org", "team"}


def test_every_type_has_a_section_and_a_line_in_the_list() -> None:
    assert set(SECTIONS) == set(EVENTS)
    for name in EVENTS:
        assert f"| [`{name}`](#{name.replace('.', '')}) |" in PAPER


@pytest.mark.parametrize("name", EVENTS)
def test_every_example_is_an_event(name: str) -> None:
    [example] = re.findall(r"^```json\n(.*?)^```", SECTIONS[name], re.M | re.S)
    shown = json.loads(example)
    assert shown["type"] == name
    assert body(EVENTS[name].model_validate(shown["data"])) == json.dumps(shown, separators=(",", ":"))


@pytest.mark.parametrize("name", EVENTS)
def test_every_field_has_a_line_and_every_line_a_field(name: str) -> None:
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", SECTIONS[name], re.M)
    told = {field for row in rows for field in re.findall(r"`(\w+)`", row)}
    assert told | (COMMON if issubclass(EVENTS[name], ConnectionEvent) else {"at"}) == set(EVENTS[name].model_fields)
    choices = re.findall(r"'enum': (\[[^]]*\])", str(EVENTS[name].model_json_schema()))
    for choice in re.findall(r"'(\w+)'", " ".join(choices)):
        assert f"`{choice}`" in SECTIONS[name]


def test_the_numbers_are_those_of_the_code() -> None:
    words = "at once, then after 5 seconds, 5 minutes, 30 minutes, 2 hours, 5, 10, 14, 20 and 24 hours"
    assert words in re.sub(r"\s+", " ", PAPER)
    assert WAITS == (5, 300, 1800, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600)
    assert (LONGEST_PARK, DEADLINE_SECONDS, KEPT_PER_SHARD, MOST_CHANNELS) == (300, 15, 10_000, 500)
    for said in ("5 minutes at most", "within 15 seconds", "10,000 a shard", "the first 500"):
        assert said in PAPER


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The names of the receiver that the paper shows."""
    monkeypatch.setenv("CORE_EVENTS_SECRET", SECRET)
    [program] = re.findall(r"^```python\n(.*?)^```", PAPER, re.M | re.S)
    names: dict[str, Any] = {}
    exec(compile(program, "docs/events.md", "exec"), names)
    return names


def post(receiver: dict[str, Any], content: str, name: str = "0a", **changed: str) -> int:
    async def once() -> int:
        at = int(time.time())
        signed = Webhook(SECRET).sign(name, datetime.fromtimestamp(at, UTC), content)
        headers = {"webhook-id": name, "webhook-timestamp": str(at), "webhook-signature": f"v1,b2xk {signed}"}
        headers |= {header.replace("_", "-"): value for header, value in changed.items()}
        transport = httpx.ASGITransport(receiver["app"])
        async with httpx.AsyncClient(transport=transport, base_url="http://core.test") as client:
            return (await client.post("/sluice/events", content=content, headers=headers)).status_code

    return asyncio.run(once())


def credential(kind: str, at: int) -> str:
    data = {"connection": "rob@example.com/end10843", "team": None, "at": at}
    return body(EVENTS[kind].model_validate(data | ({"reason": "refused"} if kind.endswith("invalid") else {})))


def test_the_receiver_of_the_paper_takes_what_is_signed_once(receiver: dict[str, Any]) -> None:
    for name in ("0a", "0a", "0b"):
        assert post(receiver, body(Ping(at=1)), name) == 204
    assert receiver["seen"] == {"0a": "ping", "0b": "ping"}


def test_the_receiver_of_the_paper_refuses_the_rest(receiver: dict[str, Any]) -> None:
    sent = body(Ping(at=1))
    for changed in ({"webhook_id": "0b"}, {"webhook_timestamp": "1"}, {"webhook_signature": "x"}):
        assert post(receiver, sent, **changed) == 401
    assert post(receiver, "not json") == 401
    assert receiver["seen"] == {}


def test_the_receiver_of_the_paper_knows_which_of_two_credentials_is_the_newer_one(receiver: dict[str, Any]) -> None:
    valid, invalid = credential("connection.credential.valid", 9), credential("connection.credential.invalid", 5)
    assert post(receiver, valid, "0a") == post(receiver, invalid, "0b") == 204
    assert receiver["credential"] == {"rob@example.com/end10843": (9, "connection.credential.valid")}

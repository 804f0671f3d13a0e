import asyncio
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from starlette.applications import Starlette

from api.verify import Verifier
from api.webhooks import webhook_routes
from pipeline.contract import Signature, Terms, Verdict, check, guess_kind
from pipeline.contract_pages import judge
from pipeline.envelope import Kind, read_query
from pipeline.errors import Rejected
from pipeline.paragon.run_tokens import RunTokens
from pipeline.rules.coverage import covered
from pipeline.slack.directory import map_user
from pipeline.slack.mapping import map_message
from pipeline.slack.names import Names

NOW = 1_700_000_000.0
CONNECTION, SECRET, CANARY = "rob@x.com/end1", "a-shared-secret-of-16", "canary 9W!"
TOKENS = RunTokens({"k": SecretStr("k" * 32)})
RUN = Signature(by="run", connection=CONNECTION, run="r1", attempt=1)
MESSAGE = {"type": "message", "user": "U1", "text": CANARY, "ts": "1681413834.502859"}
PAGE = {
    "connection": CONNECTION,
    "run_id": "r1",
    "attempt": 1,
    "channel": "C1",
    "thread_ts": "",
    "oldest": "0.000001",
    "latest": "9999999998.000000",
    "cursor": "",
    "next_cursor": "",
    "has_more": False,
    "messages": [MESSAGE],
}
USERS = {"connection": CONNECTION, "run_id": "x", "cursor": "", "next_cursor": "", "members": [{"id": "U1"}]}


def of(body: object, kind: Kind = "messages", query: dict[str, str] | None = None, **how: Any) -> Verdict:
    return check(kind, json.dumps(body).encode(), query or {}, how.pop("signature", RUN), Terms(**how))


def without(*names: str, **more: Any) -> dict[str, Any]:
    return {name: value for name, value in PAGE.items() if name not in names} | more


def told(verdict: Verdict) -> dict[str, str]:
    return {one.field: one.says for one in verdict.findings if one.level != "note"}


def test_a_page_as_it_should_be_is_flawless_and_proves_its_window() -> None:
    verdict = of(PAGE)
    assert (verdict.status, verdict.findings, verdict.records) == (202, [], 1)
    assert verdict.flawless
    assert covered(verdict.facts, "C1")


def test_every_page_that_the_workflows_paper_shows_is_flawless() -> None:
    paper = (Path(__file__).resolve().parents[2] / "docs/workflows.md").read_text()
    shown = re.findall(r"<!-- posted: (\w+)[^>]*-->\s*```json\n(.*?)```", paper, re.S)
    assert len(shown) >= 5
    for kind, text in shown:
        verdict = check(kind, text.encode(), {})
        assert verdict.flawless, (kind, verdict)
        assert guess_kind(text.encode()) == kind


def test_slacks_answer_as_it_came_is_flawless_with_its_envelope_in_the_query() -> None:
    body = {"ok": True, "messages": [MESSAGE], "has_more": True, "response_metadata": {"next_cursor": "bmV4dA=="}}
    verdict = of(body | {"pin_count": 0}, query={"channel": "C1", "thread_ts": "", "cursor": "", "run_id": "r1"})
    assert verdict.flawless, verdict


@pytest.mark.parametrize(
    ("field", "near"),
    [
        ("next_cursor", "nextCursor"),
        ("next_cursor", "next-cursor"),
        ("next_cursor", "next_curser"),
        ("has_more", "hasMore"),
        ("thread_ts", "threadTs"),
        ("cursor", "page_cursor"),
        ("channel", "channel_id"),
        ("channel", "channelId"),
        ("messages", "items"),
    ],
)
def test_a_field_under_a_near_name_is_told_by_both_names(field: str, near: str) -> None:
    verdict = of(without(field, **{near: PAGE[field]}, has_more=True) if field == "next_cursor" else
                 without(field, **{near: PAGE[field]}))  # fmt: skip
    assert f"`{near}` looks like it" in told(verdict)[field]
    assert not verdict.flawless


def test_a_near_name_beside_the_right_one_is_only_ignored() -> None:
    assert of(PAGE | {"channelId": "C1", "nextCursor": "x", "whatever": 1}).flawless


@pytest.mark.parametrize("field", ["cursor", "has_more", "thread_ts"])
def test_a_page_that_cannot_be_chained_is_taken_and_proves_nothing(field: str) -> None:
    verdict = of(without(field))
    assert (verdict.status, verdict.proves, next(iter(told(verdict)))) == (202, False, field)
    assert "proves nothing" in verdict.says


def test_more_without_a_next_cursor_proves_nothing() -> None:
    verdict = of(PAGE | {"has_more": True})
    assert (verdict.status, verdict.proves) == (202, False)
    assert "next cursor" in verdict.says


@pytest.mark.parametrize("more", [{}, {"channel": "general"}, {"channel": "#general", "user": "ann"}])
def test_paragons_tutorial_is_recognised_with_a_sentence(more: dict[str, str]) -> None:
    unsigned = of({"text": CANARY, **more}, signature=Signature(by="missing"))
    assert (unsigned.status, of({"text": CANARY, **more}).status) == (401, 422)
    assert "tutorial" in told(unsigned)["messages"]


@pytest.mark.parametrize("channel", ["general", "random-talk", "Plans"])
def test_a_channel_by_its_name_is_taken_and_never_allowed(channel: str) -> None:
    verdict = of(PAGE | {"channel": channel})
    assert (verdict.status, verdict.proves) == (202, False)
    assert "name" in told(verdict)["channel"]


def test_a_template_that_was_not_filled_in_is_told() -> None:
    verdict = of(PAGE | {"cursor": "{{settings.cursor}}"})
    assert "template" in told(verdict)["cursor"]


def test_a_page_inside_of_another_object_is_told() -> None:
    verdict = of({"channel": "C1", "output": {"messages": [], "has_more": False}})
    assert (verdict.status, "inside of `output`" in told(verdict)["messages"]) == (422, True)


def test_a_page_for_another_webhook_is_told() -> None:
    assert "a page of users" in told(of(USERS))["messages"]


@pytest.mark.parametrize(
    ("record", "field"),
    [
        ({"text": "x"}, "ts"),
        ({"ts": 1681413834.502859}, "ts"),
        ({"ts": "yesterday"}, "ts"),
        ("text", "records"),
        ({"ts": "1.2", "channel": "C2"}, "channel"),
    ],
)
def test_records_without_identity_are_counted_as_dead_letters(record: object, field: str) -> None:
    verdict = of(PAGE | {"messages": [MESSAGE, record, record]})
    assert (verdict.status, verdict.records, verdict.unidentified) == (202, 3, 2)
    assert "2 of 3" in told(verdict)[field]


def test_a_name_instead_of_an_id_is_told() -> None:
    verdict = of(USERS | {"members": [{"name": "ann"}]}, "users", signature=Signature(by="secret"))
    assert "`name`" in told(verdict)["id"]


@pytest.mark.parametrize(
    "record",
    [
        MESSAGE,
        {},
        {"ts": None},
        {"ts": 1.5},
        {"ts": "1.5"},
        {"ts": "1"},
        {"ts": "1."},
        {"ts": ""},
        {"ts": "1.2345678"},
        {"ts": "1.2", "channel": "C1"},
        {"ts": "1.2", "channel": "C9"},
        {"ts": "1.2", "channel": {"id": "C9"}},
        {"ts": "1.2", "channel": 7},
        [],
        None,
    ],
)
def test_a_message_is_dead_here_exactly_where_the_mapping_says_so(record: object) -> None:
    try:
        map_message(record, team="T1", channel="C1", epoch=1, names=Names())
        died = []
    except Rejected as error:
        died = [str(error.reason)]
    assert judge("messages", [record], "C1").dead == died


@pytest.mark.parametrize("record", [{"id": "U1"}, {"name": "ann"}, {"id": 7}, {"id": "a b"}, {"id": None}, "U1"])
def test_a_user_is_dead_here_exactly_where_the_mapping_says_so(record: object) -> None:
    try:
        map_user(record, team="T1", epoch=1)
        died = []
    except Rejected as error:
        died = [str(error.reason)]
    assert judge("users", [record], "").dead == died


def test_a_refusal_of_slack_is_a_gap_and_no_fault_of_the_workflow() -> None:
    verdict = of({"ok": False, "error": "channel_not_found", "channel": "C1"})
    assert (verdict.status, verdict.proves, verdict.flawless) == (202, False, True)
    assert [one.field for one in verdict.findings] == ["ok"]


def test_a_directory_needs_a_run_or_a_snapshot_to_be_complete() -> None:
    secret = Signature(by="secret")
    bare = {"connection": CONNECTION, "members": [{"id": "U1"}]}
    assert of(USERS, "users", signature=secret).flawless
    assert of(bare | {"snapshot": True}, "users", signature=secret).flawless
    assert set(told(of(bare, "users", signature=secret))) == {"run_id", "cursor", "next_cursor", ""}


@pytest.mark.parametrize(
    ("signature", "terms", "status"),
    [
        (Signature(by="missing"), {}, 401),
        (Signature(by="stranger"), {}, 401),
        (Signature(by="secret"), {}, 401),
        (Signature(by="secret"), {"outside_runs": True}, 202),
        (Signature(by="run", connection=CONNECTION, run="another", attempt=1), {}, 401),
        (RUN, {"registered": False}, 403),
        (RUN, {"limit": 10}, 413),
        (RUN, {"media_type": "application/x-www-form-urlencoded"}, 415),
        (Signature(), {}, 202),
    ],
)
def test_who_sends_it_decides_first(signature: Signature, terms: dict[str, Any], status: int) -> None:
    assert of(PAGE, signature=signature, **terms).status == status


def test_outside_a_run_it_proves_nothing() -> None:
    assert "no run" in of(PAGE, signature=Signature(by="secret"), outside_runs=True).says


def test_what_was_not_looked_at_is_said_to_be_wanted() -> None:
    notes = [one for one in of(PAGE, signature=Signature()).findings if one.level == "note"]
    assert [one.field for one in notes] == ["Authorization"]


BODIES: list[object] = [
    PAGE,
    *(without(name) for name in PAGE),
    PAGE | {"channel": "a b"},
    PAGE | {"attempt": 2},
    PAGE | {"messages": {}},
    PAGE | {"oldest": 1.5},
    PAGE | {"has_more": "yes"},
    {"text": "x", "channel": "general"},
    {"ok": False, "channel": "C1"},
    [],
    7,
    {},
]


class Keeps:
    async def append(self, **_: Any) -> str:
        return "0" * 34


def answered(body: bytes, query: str, bearer: str | None) -> int:
    """What the webhook itself answers."""
    verifier = Verifier(TOKENS, [SecretStr(SECRET)])
    app = Starlette(routes=webhook_routes(verifier, Keeps(), body_limit=2000, clock=lambda: NOW))
    headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}

    async def post() -> int:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://sluice.test") as client:
            return (
                await client.post(f"/v1/webhooks/slack/messages?{query}", content=body, headers=headers)
            ).status_code

    return asyncio.run(post())


@pytest.mark.parametrize("by", ["run", "secret", "missing"])
@pytest.mark.parametrize("body", BODIES)
def test_the_status_is_the_webhooks_own(body: object, by: str) -> None:
    bearers = {"run": TOKENS.mint(CONNECTION, "r1", 1, 1, 1, NOW), "secret": SECRET, "missing": None}
    raw, query = json.dumps(body).encode(), urlencode({"channel": "C1"})
    signature = RUN if by == "run" else Signature(by=by)  # type: ignore[arg-type]
    for sent in (raw, raw[:-2], raw + b" " * 2000):
        verdict = check("messages", sent, read_query(query.encode()), signature, Terms(limit=2000))
        assert verdict.status == answered(sent, query, bearers[by])


def test_no_verdict_holds_a_value_that_was_sent() -> None:
    for name in PAGE:
        for verdict in (of(PAGE | {name: CANARY}), of(PAGE | {name: "{{" + CANARY}), of({CANARY: 1, "text": CANARY})):
            shown = repr(verdict).replace(f"channel={CANARY!r}", "")
            assert CANARY not in shown, (name, verdict)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["messages", "channels", "users"]), st.binary() | st.text().map(lambda text: json.dumps({
    "text": text, text: 1, "channel": text, "messages": [text]}).encode()))  # fmt: skip
def test_any_bytes_get_a_verdict(kind: Kind, body: bytes) -> None:
    assert check(kind, body, {}).status in (202, 400, 401, 413, 415, 422)

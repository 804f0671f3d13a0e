import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.__main__ import main

Check = Callable[..., tuple[int, str]]
SECRET = "a-shared-secret-of-16"
PAGE = {"channel": "C1", "thread_ts": "", "cursor": "", "has_more": False, "messages": [{"ts": "1.2", "text": "x"}]}


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Check:
    monkeypatch.setenv("SLUICE_BODY_LIMIT_BYTES", "2000")

    def run(body: object, *more: str) -> tuple[int, str]:
        file = tmp_path / "page.json"
        file.write_bytes(body if isinstance(body, bytes) else json.dumps(body).encode())
        status = main(["workflow", "check", str(file), "--state", str(tmp_path / "state"), *more])
        said = capsys.readouterr()
        return status, said.out + said.err

    return run


def test_a_good_page_is_said_to_be_good(check: Check) -> None:
    status, said = check(PAGE)
    assert (status, "✓" in said, "202" in said) == (0, True, True)


def test_a_misnamed_field_is_said_in_a_sentence(check: Check) -> None:
    status, said = check({**PAGE, "channel": None, "channel_id": "C1"})
    assert status == 1
    assert "`channel_id` looks like it" in said


def test_the_query_may_be_the_whole_address(check: Check) -> None:
    body = {"ok": True, "messages": [], "has_more": False}
    address = "https://sluice.example.com/v1/webhooks/slack/messages?channel=C1&thread_ts=&cursor="
    assert check(body, "--query", address)[0] == 0
    assert check(body, "--query", "channel=%FF")[0] == 2


def test_the_signature_is_held_to_the_keys_of_the_settings(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    users = {"connection": "a/b", "run_id": "x", "cursor": "", "next_cursor": "", "members": [{"id": "U1"}]}
    for name, value in {
        "PARAGON_PROJECT_ID": "p1",
        "PARAGON_SIGNING_KEY": "-----BEGIN PRIVATE KEY-----",
        "PARAGON_WORKFLOW_MESSAGES": "w",
        "PUBLIC_URL": "http://127.0.0.1:1",
        "WEBHOOK_SECRETS": SECRET,
    }.items():
        monkeypatch.setenv(f"SLUICE_{name}", value)
    assert check(users, "--authorization", f"Bearer {SECRET}")[0] == 0
    status, said = check(users, "--authorization", "Bearer nobody")
    assert (status, "401" in said) == (1, True)
    status, said = check(PAGE, "--authorization", f"Bearer {SECRET}")
    assert (status, "one for all customers" in said) == (1, True)


def test_for_programs_it_is_one_object_without_what_was_sent(check: Check) -> None:
    status, said = check({"text": "canary-4D", "channel": "general"}, "--json")
    told = json.loads(said)
    assert (status, told["status"], told["findings"][0]["level"]) == (1, 422, "fail")
    assert "tutorial" in said
    assert "canary-4D" not in said


def test_a_body_over_the_limit_is_not_read_to_its_end(check: Check) -> None:
    assert "413" in check(b" " * 5000)[1]


def test_a_body_may_come_through_a_pipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(PAGE).encode())))
    assert main(["workflow", "check", "-", "--state", str(tmp_path)]) == 0
    assert "202" in capsys.readouterr().out


def test_a_file_that_is_not_there_is_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["workflow", "check", str(tmp_path / "none.json"), "--state", str(tmp_path)]) == 2
    assert "cannot be read" in capsys.readouterr().err

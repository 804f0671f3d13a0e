"""`./sluice adopt`: Paragon's list becomes the connection's own, and history before the watermark stays out."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from core_api import AT, OPERATOR, PEM, Core
from outgoing_world import PROJECT, World
from sluice import CONNECTION

from cli.__main__ import main
from settings import STACK_MARK

Adopt = Callable[..., int]
SINCE = 1_700_000_000_000_000


@pytest.fixture
def core(world: World) -> Core:
    return Core(world.sluice).connected()


@pytest.fixture
def adopt(core: Core, world: World, simulated: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Adopt]:
    """The command, against the API and the simulator's Paragon; its `meta` is written first, where given."""
    variables = {f"PARAGON_{name}_URL": simulated for name in ("API", "TRIGGER", "PROXY")}
    variables |= {"PARAGON_PROJECT_ID": PROJECT, "PARAGON_SIGNING_KEY": PEM, "PARAGON_WORKFLOW_MESSAGES": "m"}
    variables |= {"PUBLIC_URL": "http://sluice.test", "WEBHOOK_SECRETS": "s" * 16}
    for name, value in variables.items():
        monkeypatch.setenv(f"SLUICE_{name}", value)
    monkeypatch.setenv(STACK_MARK, "1")
    (tmp_path / "token").write_text(OPERATOR)

    def run(*args: str, meta: Any = None, connection: str = CONNECTION) -> int:
        world.paragon.patch_meta(CONNECTION, meta or {})
        door = ("--api", str(client.base_url), "--token-file", str(tmp_path / "token"), "--state", str(tmp_path))
        return main(["adopt", connection, *args, *door])

    with core.served() as client:
        yield run


def own(core: Core) -> Any:
    return core.call("GET", f"{AT}/allowlist").json()["channels"]


def starts(core: Core) -> dict[str, Any]:
    channels = core.call("GET", f"{AT}/coverage").json()["channels"]
    return {channel: shown["start"] for channel, shown in channels.items()}


def test_without_yes_the_difference_is_shown_and_nothing_changes(
    adopt: Adopt, core: Core, capsys: pytest.CaptureFixture[str]
) -> None:
    core.allow("C1")
    assert adopt(meta={"allowListedChannels": ["C2", "C3"]}) == 0
    said = capsys.readouterr().out
    assert "+ C2  plans" in said
    assert "+ C3  (not in the directory)" in said
    assert "- C1  general" in said
    assert own(core) == ["C1"]


def test_with_yes_the_list_is_imported_and_pulls_start_at_the_watermark(adopt: Adopt, core: Core) -> None:
    assert adopt("--yes", "--since", "2023-11-14T22:13:20", meta={"allowListedChannels": ["C2", "C1"]}) == 0
    assert own(core) == ["C1", "C2"]
    assert starts(core) == {"C1": SINCE, "C2": SINCE}
    [run] = core.call("POST", f"{AT}/pulls").json()["runs"]
    [asked] = core.call("GET", f"{AT}/pulls").json()["runs"]
    assert asked["id"] == run
    assert asked["oldest"] > SINCE, "the newest first; nothing before the watermark is ever asked for"


def test_a_channel_that_is_allowed_again_later_starts_from_the_beginning(adopt: Adopt, core: Core) -> None:
    adopt("--yes", "--since", "1700000000.000000", meta={"allowListedChannels": ["C1"]})
    core.allow()
    assert starts(core) == {}
    core.allow("C1")
    assert starts(core) == {"C1": None}


def test_a_second_time_changes_nothing(adopt: Adopt, core: Core, capsys: pytest.CaptureFixture[str]) -> None:
    meta = {"allowListedChannels": [{"id": "C1"}, "C2"]}
    assert [adopt("--yes", meta=meta), adopt("--yes", meta=meta)] == [0, 0]
    assert "The lists are the same." in capsys.readouterr().out
    assert core.call("GET", f"{AT}/allowlist").headers["ETag"] == '"1"'


@pytest.mark.parametrize(
    ("meta", "sentence"),
    [({"plan": "pro"}, "nothing to adopt"), ({"allowListedChannels": ["general", "C1", None]}, "2 entries")],
)
def test_what_is_no_list_of_ids_is_not_imported(
    adopt: Adopt, core: Core, capsys: pytest.CaptureFixture[str], meta: Any, sentence: str
) -> None:
    assert adopt("--yes", meta=meta) == 1
    said = "".join(capsys.readouterr())
    assert sentence in said
    assert "general" not in said
    assert own(core) == []


def test_a_direct_message_is_the_apis_to_refuse_and_it_is_named(
    adopt: Adopt, core: Core, capsys: pytest.CaptureFixture[str]
) -> None:
    meta = {"allowListedChannels": ["C1", *(f"D{n}" for n in range(7))]}
    assert adopt("--yes", meta=meta) == 1
    assert "Direct messages cannot be allowed (D0, D1, D2, D3, D4, …)." in capsys.readouterr().err
    assert own(core) == []
    core.app.state.services.allowlists.direct_messages = True
    assert adopt("--yes", meta=meta) == 0
    assert len(own(core)) == 8


def test_who_is_not_registered_is_told_to_do_that_first(adopt: Adopt, capsys: pytest.CaptureFixture[str]) -> None:
    assert adopt(connection="nobody/nowhere") == 1
    assert "register the connection first" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [("--since", "9999-01-01"), ("--since", "2286-01-01T00:00:00")])
def test_a_watermark_in_the_future_is_a_wrong_call(adopt: Adopt, wrong: tuple[str, str]) -> None:
    assert adopt("--yes", *wrong, meta={"allowListedChannels": ["C1"]}) == 2


def test_the_route_refuses_a_watermark_in_the_future(core: Core) -> None:
    body = {"channels": ["C1"], "since": time.time_ns() // 1000 + 3_600_000_000}
    assert core.call("PUT", f"{AT}/allowlist", json=body, headers={"If-Match": '"0"'}).status_code == 422
    assert own(core) == []


def test_paragons_list_is_not_overwritten_before_somebody_has_put_one(world: World) -> None:
    world.paragon.patch_meta(CONNECTION, {"allowListedChannels": ["C9"]})
    world.sluice.stores.connections.set_metadata(CONNECTION, {"seats": 3})
    world.sluice.client.zadd(world.keys.due, {f"patch:{CONNECTION}": 1})
    assert world.outgoing.patch(CONNECTION) == "patched"
    assert world.meta() == {"seats": 3, "userid": CONNECTION, "allowListedChannels": ["C9"]}

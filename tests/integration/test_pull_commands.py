"""`./sluice pulls`, `coverage` and `pull`, at a real store; where somebody must answer, the test plays Slack."""

import json
import re
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from core_api import AT, Core
from pulls_world import Pulls
from slack_played import Channel, delivered, pages
from sluice import CONNECTION, TEAM, now_us

from cli.__main__ import main
from pipeline.errors import Unavailable
from pipeline.rules.versions import us_ts
from pipeline.rules.windows import DAY_US, HOUR_US
from pipeline.store import hold
from pipeline.store.runs_shown import Shown, shown

TODAY = now_us()
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def pulls(store: str) -> Iterator[Pulls]:
    made = Pulls(store)
    yield made
    made.close()


@pytest.fixture
def core(pulls: Pulls) -> Core:
    """With a connection whose directory is complete."""
    return Core(pulls).connected()


@pytest.fixture
def run(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """A command's exit status, what it shows, what it says."""
    monkeypatch.setenv("SLUICE_STORE_URL", store)
    monkeypatch.setenv("SLUICE_VAULT_KEYS", "k1:" + b64encode(bytes(range(32))).decode())

    def command(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main([*words, "--state", str(tmp_path)])
        said = capsys.readouterr()
        return status, said.out, said.err

    return command


def allowed(core: Core, *channels: str) -> Pulls:
    core.allow(*channels)
    pulls = core.sluice
    assert isinstance(pulls, Pulls)
    pulls.drain()
    pulls.patched()
    pulls.looked()
    return pulls


def yesterday(second: int) -> str:
    return us_ts((TODAY // DAY_US - 1) * DAY_US + 12 * HOUR_US + second * 1_000_000)


def channel(name: str, messages: int = 10) -> Channel:
    made = Channel(name)
    for second in range(messages):
        made.post(yesterday(second))
    return made


def answer(pulls: Pulls, name: str, *channels: Channel) -> None:
    known, attempt = {one.id: one for one in channels}, pulls.ask(name)
    pulls.answer(attempt, *(one for name in attempt.channels for one in pages(known[name], attempt)))
    pulls.looked(at=now_us() + 1_000_000)


def settle(pulls: Pulls, *channels: Channel, at: int | None = None) -> None:
    """Ask and answer until nothing is wanted."""
    while names := pulls.plan(at=at or TODAY):
        for name in names:
            answer(pulls, name, *channels)


def held(pulls: Pulls) -> str:
    """A reading of yesterday that lacks eight of ten messages waits."""
    made = channel("C1")
    settle(pulls, made)
    for second in range(2, 10):
        made.delete(yesterday(second))
    settle(pulls, made, at=TODAY + DAY_US)
    [name] = [found.id for found in pulls.stores.ledger.runs.listing(CONNECTION) if found.state == "held"]
    return name


def interrupt(*_: object) -> None:
    """What Ctrl-C does."""
    raise KeyboardInterrupt


class Workers(threading.Thread):
    """What beat and the workers do, in a world of their own, until told to stop."""

    def __init__(self, beside: Pulls, *channels: Channel) -> None:
        super().__init__()
        self.beside, self.channels, self.stop = beside, channels, threading.Event()

    def run(self) -> None:
        pulls = Pulls(self.beside.url, mesh=self.beside.mesh)
        while not self.stop.is_set():
            pulls.plan()
            for found in pulls.stores.ledger.runs.listing(CONNECTION):
                if found.open:
                    answer(pulls, found.id, *self.channels)
            time.sleep(0.05)
        pulls.close()

    def __enter__(self) -> "Workers":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.join()


def test_before_anything_was_asked_for_the_list_says_how_to(core: Core, run: Run) -> None:
    status, shown, _ = run("pulls")
    assert (status, "./sluice pull CONNECTION" in shown) == (0, True)


def test_runs_are_listed_the_open_ones_first_with_what_they_wait_for(core: Core, run: Run) -> None:
    pulls = allowed(core, "C1", "C2")
    [name] = pulls.plan(at=TODAY)
    answer(pulls, name, channel("C1"), channel("C2"))
    [older] = pulls.plan(at=TODAY)
    status, shown, _ = run("pulls")
    lines = shown.splitlines()
    assert (status, lines[0]) == (0, "1 window open: 0 at Paragon, 1 waiting.")
    assert lines[2].startswith("requested  older   20")
    assert lines[2].endswith("  C1 and 1 more")
    assert lines[3].startswith(f"  {older}  {CONNECTION}  0 pages, ")
    assert lines[3].endswith("; asked now")
    assert lines[4].startswith("covered    new     20")
    assert lines[5].startswith(f"  {name}  {CONNECTION}  10 pages, ")
    pulls.ask(older)
    assert "1 window open: 1 at Paragon, 0 waiting." in run("pulls")[1]
    assert "; at Paragon, asked again in 1 min" in run("pulls", CONNECTION)[1]
    assert CONNECTION not in run("pulls", CONNECTION)[1]


def test_of_another_connection_only_its_own_runs_are_listed(core: Core, run: Run) -> None:
    pulls = allowed(core, "C1")
    pulls.plan()
    pulls.register("ann/end10843")
    found = json.loads(run("pulls", "ann/end10843", "--json")[1])
    assert found == {"open": 0, "out": 0, "held": 0, "runs": []}
    found = json.loads(run("pulls", CONNECTION, "--json")[1])
    assert [(one["kind"], one["state"], one["out"], one["due"] > 0) for one in found["runs"]] == [
        ("live", "requested", False, True)
    ]
    assert [one["id"] for one in json.loads(run("pulls", "--json")[1])["runs"]] == [found["runs"][0]["id"]]


def test_what_waits_for_an_operator_is_shown_in_numbers_and_goes_only_when_told(core: Core, run: Run) -> None:
    pulls = allowed(core, "C1")
    name = held(pulls)
    assert run("pulls")[1].startswith(
        "Nothing is open. 1 reading held for an operator: `./sluice pulls --release RUN`.\n\nheld       again "
    )
    assert f"1 reading held for an operator: `./sluice pulls {CONNECTION}`" in run("coverage", CONNECTION)[1]
    status, shown, _ = run("pulls", "--release", name)
    day = time.strftime("%Y-%m-%d", time.gmtime((TODAY // DAY_US - 1) * 86400))
    assert (status, shown.splitlines()[1]) == (0, f"  C1  {day}: 10 were known, 2 were seen")
    assert "Nothing was changed" in shown
    assert len(delivered(pulls, "C1")) == 10
    assert run("pulls", "--release", name, "--yes")[0] == 0
    pulls.drain()
    assert len(delivered(pulls, "C1")) == 2
    status, _, said = run("pulls", "--release", name, "--yes")
    assert (status, f"No sweep of {name} waits" in said) == (1, True)


@pytest.mark.parametrize(
    "words", [("--yes",), ("--limit", "0"), ("--release", "00", CONNECTION), (f"nobody/{TEAM}",), ("nobody",)]
)
def test_a_wrong_usage_is_said(core: Core, run: Run, words: tuple[str, ...]) -> None:
    assert run("pulls", *words)[0] == 2


def test_coverage_is_drawn_and_is_the_same_as_the_api_says(core: Core, run: Run) -> None:
    pulls = allowed(core, "C1", "C2")
    answer(pulls, pulls.plan()[0], channel("C1"), channel("C2"))
    status, shown, _ = run("coverage", CONNECTION, "--width", "80")
    title, _, head, first, second, *rest = shown.splitlines()
    assert (status, head.endswith(" now"), first[:4], second[:4]) == (0, True, "C1 |", "C2 |")
    assert re.fullmatch(rf"{CONNECTION}, 20..-..-.. ..:..: 2 backfill", title)
    assert first.endswith("█ backfill")
    assert "·|" in first
    assert max(map(len, [head, first, second])) <= 80
    assert "Backfill: 2 of 2 channels not read to the start yet; about " in "\n".join(rest)
    ours, theirs = json.loads(run("coverage", CONNECTION, "--json")[1]), core.call("GET", f"{AT}/coverage").json()
    assert ours["channels"] == theirs["channels"]
    assert ours["plan"] == theirs["plan"]


def test_coverage_says_what_is_in_the_way(core: Core, run: Run) -> None:
    assert "No channel is allowed" in run("coverage", CONNECTION)[1]
    pulls = allowed(core, "C1", "C2")
    [name] = pulls.plan()
    pulls.stores.ledger.runs.block(pulls.get(name), TODAY, "slack_refused")
    main(["pause", CONNECTION, "--channel", "C2"])
    shown = run("coverage", CONNECTION, "--width", "80")[1]
    lines = shown.splitlines()
    assert lines[0].endswith(": 2 blocked")
    assert lines[3].endswith("! blocked")
    assert "1 window blocked: slack_refused." in lines
    main(["pause", CONNECTION])
    assert f"nothing is asked for until `./sluice resume {CONNECTION}`" in run("coverage", CONNECTION)[1]


def test_what_slacks_plan_hides_is_told_by_both_commands(core: Core, run: Run) -> None:
    pulls = allowed(core, "C1", "C2")
    attempt = pulls.ask(pulls.plan()[0])
    first, second = (pages(channel(name), attempt) for name in ("C1", "C2"))
    pulls.answer(attempt, *({**page, "is_limited": True} for page in first), *second)
    shown = run("coverage", CONNECTION, "--width", "80")[1]
    assert [("░" in line, "█" in line) for line in shown.splitlines()[3:5]] == [(True, False), (False, True)]
    assert "Slack's plan may hide older messages of 1 channel: what it shows is read." in shown
    assert run("pulls")[1].splitlines()[-1].endswith("; Slack's plan hides some")


def test_of_many_channels_those_in_trouble_are_drawn_and_the_rest_is_summed_up(core: Core, run: Run) -> None:
    names = [f"C{number:04}" for number in range(1000)]
    pulls = allowed(core, *names)
    behind = {f"{name}|head": TODAY - (DAY_US if name == "C0700" else 0) for name in names}
    pulls.client.hset(pulls.keys.coverage(CONNECTION), mapping=behind)
    lines = run("coverage", CONNECTION, "--width", "80", "--limit", "5")[1].splitlines()
    assert [line.split()[0] for line in lines[3:8]] == ["C0700", "C0000", "C0001", "C0002", "C0003"]
    assert lines[3].endswith("! behind")
    assert lines[8] == "and 995 more (995 covered): `--limit 0` draws all"
    assert len(run("coverage", CONNECTION, "--limit", "0")[1].splitlines()) > 1000


def test_what_is_new_is_asked_for_and_followed_until_it_is_covered(core: Core, run: Run) -> None:
    pulls = allowed(core, "C1", "C2")
    with Workers(pulls, channel("C1"), channel("C2")):
        status, shown, said = run("pull", CONNECTION)
    assert status == 0
    assert shown.startswith("Covered until 20")
    assert re.search(r"2 of 2 channels; 1 of 1 window, \d+ pages\.$", shown)
    assert "Asked for what is new of 2 of 2 channels." in said


def test_for_programs_a_pull_ends_in_one_object(core: Core, run: Run) -> None:
    pulls = allowed(core, "C1")
    found = json.loads(run("pull", CONNECTION, "--no-wait", "--json")[1])
    assert (found["done"], found["channels"], found["waiting"]) == (False, ["C1"], ["C1"])
    with Workers(pulls, channel("C1")):
        found = json.loads(run("pull", CONNECTION, "--json")[1])
    assert (found["done"], found["channels"], found["waiting"]) == (True, ["C1"], [])
    assert {one["state"] for one in found["runs"]} == {"covered"}


def test_what_is_covered_is_read_again_from_a_day_on(core: Core, run: Run) -> None:
    pulls = allowed(core, "C1", "C2")
    first, second = channel("C1"), channel("C2")
    settle(pulls, first, second)
    first.edit(yesterday(0), "edited", yesterday(100))
    first.delete(yesterday(1))
    with Workers(pulls, first, second):
        day = time.strftime("%Y-%m-%d", time.gmtime(TODAY / 1e6 - 2 * 86400))
        status, shown, _ = run("pull", CONNECTION, "--since", day, "--channel", "C1")
    assert (status, shown.startswith(f"Read again from {day} 00:00 on: 1 of 1 channel; 1 of 1 window")) == (0, True)
    assert delivered(pulls, "C1") == first.truth()


def test_all_of_it_can_be_read_again(core: Core, run: Run) -> None:
    pulls, made = allowed(core, "C1"), channel("C1")
    settle(pulls, made)
    with Workers(pulls, made):
        assert run("pull", CONNECTION, "--since", "all")[1].startswith(
            "Read again from the beginning on: 1 of 1 channel;"
        )


def test_ctrl_c_ends_the_following_and_nothing_else(core: Core, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    pulls = allowed(core, "C1")
    monkeypatch.setattr(time, "sleep", interrupt)
    status, _, said = run("pull", CONNECTION)
    assert (status, f"It goes on without this command: `./sluice pulls {CONNECTION} --watch` shows it." in said) == (
        130,
        True,
    )
    assert [found.state for found in pulls.stores.ledger.runs.listing(CONNECTION)] == ["requested"]


def test_a_watch_says_what_has_changed_and_ends_by_ctrl_c(
    core: Core, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    pulls = allowed(core, "C1")
    steps: list[Callable[[], object]] = [lambda: None, pulls.plan, lambda: None, interrupt]
    monkeypatch.setattr(time, "sleep", lambda _: steps.pop(0)())
    status, shown, _ = run("pulls", "--watch")
    assert status == 0
    assert [line[18:] for line in shown.splitlines()] == ["Nothing is open.", "1 window open: 0 at Paragon, 1 waiting."]


def test_a_watch_outlives_a_restart_of_the_store(core: Core, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    allowed(core, "C1").plan()
    looks, shown_now = iter([True, False, False, True]), shown

    def sometimes(*args: Any) -> Shown:
        if not next(looks):
            raise Unavailable("store away")
        return shown_now(*args)

    steps: list[Callable[[], object]] = [lambda: None, lambda: None, interrupt]
    monkeypatch.setattr("cli.pulls.shown", sometimes)
    monkeypatch.setattr(time, "sleep", lambda _: steps.pop(0)())
    status, said, _ = run("pulls", "--watch")
    assert (status, said.splitlines()[0]) == (0, "store away; trying again.")
    assert said.splitlines()[1].endswith("  1 window open: 0 at Paragon, 1 waiting.")
    monkeypatch.setattr("cli.pulls.shown", lambda *_: sometimes())
    looks = iter([False])
    assert run("pulls")[::2] == (1, "sluice: store away; `./sluice doctor` looks what is wrong with it.\n")


def test_without_waiting_it_is_only_asked_for(core: Core, run: Run) -> None:
    pulls = allowed(core, "C1", "C2")
    status, _, said = run("pull", CONNECTION, "--channel", "C2", "--no-wait")
    assert (status, f"./sluice pulls {CONNECTION} --watch" in said) == (0, True)
    [found] = pulls.stores.ledger.runs.listing(CONNECTION)
    assert found.channels == ["C2"]


def test_what_nobody_can_go_on_with_ends_the_waiting(core: Core, run: Run) -> None:
    pulls = allowed(core, "C1")
    [name] = pulls.plan()
    pulls.stores.ledger.runs.block(pulls.get(name), TODAY, "slack_refused")
    status, _, said = run("pull", CONNECTION)
    assert (status, "C1: it does not go on by itself (slack_refused)." in said) == (1, True)
    assert "0 of 1 channel; 0 of 1 window, 0 pages; blocked: slack_refused" in said


def test_what_cannot_be_asked_for_is_said_in_a_sentence(core: Core, run: Run) -> None:
    pulls = core.sluice
    assert "allows no channel" in run("pull", CONNECTION)[2]
    pulls = allowed(core, "C1")
    assert run("pull", CONNECTION, "--since", "2026-01-01")[2].startswith("sluice: Nothing is covered from 2026-01-01")
    assert run("pull", CONNECTION, "--channel", "C2")[::2] == (2, f"sluice: Not on the list of {CONNECTION}: C2.\n")
    assert run("pull", "ann/end10843")[0] == 2
    assert run("pull", CONNECTION, "--since", "2199-01-01")[0] == 2
    main(["pause", CONNECTION, "--channel", "C1"])
    assert "C1 is kept back. An operator paused it" in run("pull", CONNECTION)[2]
    main(["resume", CONNECTION, "--channel", "C1"])
    pulls.looked(status="INVALID")
    assert "does not take the user's credential" in run("pull", CONNECTION)[2]
    main(["pause", "all"])
    assert "Paused (all)" in run("pull", CONNECTION)[2]
    hold.place(pulls.client, pulls.stores.shards, None)
    assert run("pull", CONNECTION)[::2] == (1, f"sluice: {hold.SAYS}\n")
    assert pulls.stores.ledger.runs.listing(CONNECTION) == []


def test_nothing_is_pulled_before_the_directory_is_complete(pulls: Pulls, run: Run) -> None:
    pulls.register()
    pulls.allow("C1")
    assert "The directory is not complete: the channels were not read" in run("pull", CONNECTION)[2]


def test_without_a_store_or_its_keys_the_commands_say_so(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLUICE_VAULT_KEYS")
    assert "SLUICE_VAULT_KEYS" in run("pulls")[2]
    monkeypatch.delenv("SLUICE_STORE_URL")
    assert run("coverage", CONNECTION)[::2] == (
        2, "sluice: There is no store: start `./sluice up`, or set SLUICE_STORE_URL (op.env.example).\n"
    )  # fmt: skip

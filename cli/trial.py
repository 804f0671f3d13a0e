"""A trial run of the messages workflow, for `./sluice doctor --paragon`: one small window of one allowed channel.

It goes past the ledger on purpose. The callbacks come to an address of their own (`api.workflow_check`), where they are
held against the contract and dropped; and the run token is of generation 0, which no connection has, so that a workflow
which posts to the real webhook all the same delivers nothing.
"""

import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from api.workflow_check import PATH
from cli.checkup import Line
from cli.refusals import sentence
from pipeline.contract import Verdict
from pipeline.errors import SluiceError
from pipeline.paragon.client import ParagonClient
from pipeline.paragon.run_tokens import RunTokens
from pipeline.rules.coverage import covered
from pipeline.rules.windows import on_the_wire
from pipeline.store.probes import Probes
from settings import Settings

NO_GENERATION: Final = 0
_BEHIND: Final = 120
"""Seconds: Slack needs a moment until a message shows everywhere."""
_POLL: Final = 0.3


class Trial(NamedTuple):
    """What to ask: `channel` for the last `hours`; `wait` seconds for its callbacks."""

    connection: str
    channel: str
    hours: float
    wait: float


def run_trial(settings: Settings, paragon: ParagonClient, probes: Probes, trial: Trial) -> Iterator[Line]:
    """Trigger, wait for the callbacks, and say what was wrong with them."""
    probe = probes.open()
    try:
        try:
            paragon.trigger(trial.connection, settings.paragon_workflow_messages, body(settings, trial, probe))
        except SluiceError as error:
            do = "Correct SLUICE_PARAGON_WORKFLOW_MESSAGES, deploy the workflow, and switch it on for this user."
            yield Line("trigger", "fail", sentence(error), do)
            return
        yield Line("trigger", "ok", f"{trial.channel}, the last {trial.hours:g} h: Paragon took it")
        yield from _callbacks(await_callbacks(lambda: probes.verdicts(probe), trial), settings, trial)
    finally:
        probes.close(probe)


def body(settings: Settings, trial: Trial, probe: str, *, now: float | None = None) -> dict[str, object]:
    """The trigger's body, as the workers send it (docs/workflows.md, 3), but for address and generation."""
    now = time.time() if now is None else now
    latest = int((now - _BEHIND) * 1e6)
    oldest, end = on_the_wire(latest - int(trial.hours * 3600e6), latest)
    run = f"00{secrets.token_hex(16)}"
    tokens = RunTokens(settings.run_token_keys)
    return {
        "run_id": run,
        "attempt": 1,
        "run_token": tokens.mint(trial.connection, run, 1, int(now * 1e6), NO_GENERATION, now),
        "callback_url": f"{settings.public_url.rstrip('/')}{PATH}/probes/{probe}",
        "channels": [trial.channel],
        "oldest": oldest,
        "latest": end,
        "inclusive": True,
        "limit": 15,
        "include_all_metadata": True,
        "replies": True,
    }


def await_callbacks(look: Callable[[], list[Verdict]], trial: Trial) -> list[Verdict]:
    """What came until the window is covered, or the time is over."""
    ends = time.monotonic() + trial.wait
    while True:
        found = look()
        if _is_covered(found, trial) or time.monotonic() > ends:
            return found
        time.sleep(_POLL)


def _is_covered(found: list[Verdict], trial: Trial) -> bool:
    return covered([fact for one in found for fact in one.facts], trial.channel)


def _callbacks(found: list[Verdict], settings: Settings, trial: Trial) -> Iterator[Line]:
    if not found:
        do = (
            "Look at the execution in Paragon: did it run, did its Request step post to the trigger's `callback_url`, "
            f"and can Paragon reach {settings.public_url}? A step with an address of its own posts past this trial."
        )
        yield Line("callback", "fail", f"none came within {trial.wait:g} s", do)
        return
    statuses = Counter(one.status for one in found)
    says = f"{len(found)} came: " + ", ".join(f"{number} would get {status}" for status, number in statuses.items())
    yield Line("callback", "ok" if set(statuses) == {202} else "fail", says, "" if set(statuses) == {202} else _DO)
    yield from _findings(found)
    yield _coverage(found, trial)


_DO: Final = "Correct the workflow by docs/workflows.md, deploy it, and run this again."


def _findings(found: list[Verdict]) -> Iterator[Line]:
    """Each thing that was wrong once, with the number of callbacks that had it."""
    times = Counter((one.level, one.says) for verdict in found for one in verdict.findings if one.level != "note")
    for (level, says), number in sorted(times.items()):
        yield Line("callback", "fail" if level == "fail" else "warn", f"{says} ({number} of {len(found)})", _DO)


def _coverage(found: list[Verdict], trial: Trial) -> Line:
    records = sum(one.records for one in found)
    if _is_covered(found, trial):
        do = "" if records else "A quiet window shows no message: --hours N reaches further back."
        return Line("coverage", "ok", f"the pages prove the window: {records} records, every chain to its end", do)
    others = {one.channel for one in found if one.channel} - {trial.channel}
    if others:
        return Line("coverage", "fail", f"pages of {len(others)} channels came that were not asked for", _DO)
    do = "Every page wants the cursor it was asked with and the next one, up to `has_more: false`, and each thread too."
    return Line("coverage", "fail", f"the pages do not prove the window within {trial.wait:g} s", do)

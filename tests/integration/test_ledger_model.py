"""The ledger under whatever may happen, step by step (`ledger_machine`). `LEDGER_MODEL=long`: 10,000 steps
and more; `--log-cli-level=INFO` tells what they met.
"""

import logging
import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test as run_machine
from ledger_machine import FLAWS, LedgerMachine

LONG = os.environ.get("LEDGER_MODEL") == "long"
_log = logging.getLogger(__name__)
pytestmark = pytest.mark.timeout(3600 if LONG else 240)
MET = (
    *FLAWS,
    "page of an ended run",
    "page of a run that was given up",
    "page of an older attempt",
    "page twice",
    "pages out of order",
    "hiding Slack",
    *("live covered", "live halved", "live cancelled", "back covered", "back halved", "thread covered"),
    *("reread covered", "reread missed"),
)
"""What a long run must have met: one that meets nothing proves nothing."""


def test_nothing_is_covered_without_proof_and_nothing_is_left_out_whatever_happens(store: str) -> None:
    LedgerMachine.store = store
    LedgerMachine.happened.clear()
    run_machine(
        LedgerMachine,
        settings=settings(
            max_examples=125 if LONG else 15,
            stateful_step_count=100 if LONG else 40,
            deadline=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, Phase.shrink] if LONG else [Phase.generate],
        ),
    )
    _log.info("met: %s", dict(LedgerMachine.happened))
    if LONG:
        assert LedgerMachine.happened["steps"] >= 10_000
        assert [what for what in MET if not LedgerMachine.happened[what]] == []

"""What one simulator is: a value, made by the command line or by a test."""

import time
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from simulator.slack.rates import Regime

MESSAGES = "slack-messages"
CHANNELS = "slack-channels"
USERS = "slack-users"

DAY = 86_400
QUIET = 600  # Nothing generated is younger than this many seconds: the newest window a puller may ask ends before it.


def default_anchor() -> int:
    """The unix second at which generated history ends: midnight UTC, so that a restart on the same day repeats it."""
    return (int(time.time()) - QUIET) // DAY * DAY


@dataclass(frozen=True)
class SimulatorConfig:
    """Everything a simulator is made of. Counts of channels and messages are per workspace; seconds are seconds.

    `public_key` is a PEM; `webhooks` is the base URL of the receiver ("" = directory workflows post nowhere);
    `time_scale` multiplies Slack's minutes and the pace of faults, `retry_scale` Paragon's retry waits; `page_limit`
    caps every Slack page; `concurrency` bounds the callbacks in flight; `jitter` is the most seconds a callback waits
    at random, which is what reorders them; `stray` is how many channels that nobody asked for each messages workflow
    posts all the same, -1 for all; `faults` are those that strike (simulator/faults.py), `regime` is Slack's rate
    limit, `short_rate` the part of its pages that are short, and of those that are empty; without `self_start` the
    directory workflows start by a trigger only, and not on connect. `core_api` and `core_token` are Sluice's API and a
    token of it, for the pages that play the core service ("" = they say so); `event_secret` verifies what Sluice tells
    it.
    """

    public_key: str
    project_id: str
    webhooks: str = ""
    webhook_secret: SecretStr = field(default=SecretStr(""))
    connections: int = 1
    channels: int = 6
    messages: int = 400
    seed: int = 1
    workspace: Path | None = None
    anchor: int = field(default_factory=default_anchor)
    time_scale: float = 0.01
    retry_scale: float = 0.01
    page_limit: int = 999
    concurrency: int = 16
    duplicate_rate: float = 0.0
    jitter: float = 0.005
    stray: int = 0
    faults: tuple[str, ...] = ()
    regime: Regime = "free"
    short_rate: float = 0.0
    self_start: bool = True
    core_api: str = ""
    core_token: SecretStr = field(default=SecretStr(""))
    event_secret: SecretStr = field(default=SecretStr(""))
    workflow_messages: str = MESSAGES
    workflow_channels: str = CHANNELS
    workflow_users: str = USERS

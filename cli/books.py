"""The ledger, the lists and the pauses of the store that is set here, for the commands of pulls.

They work at the store, as `pause` and `events` do, and not through the API: whoever runs a deployment has its settings
(`op.env`), which name the store and its keys, but of the API's tokens hashes only. So one way serves beside a real
deployment and beside `./sluice up`, needs no token, and also works while the API is away.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import redis

from cli.exits import Exit
from cli.running import settings_for
from pipeline.connection import split_connection
from pipeline.errors import Rejected, SluiceError, Unavailable
from pipeline.rules.regimes import Regime
from pipeline.store.allowlists import Allowlists
from pipeline.store.channel_pauses import ChannelPauses
from pipeline.store.client import clock, connect
from pipeline.store.connections import Connections, Registration
from pipeline.store.keys import Shards
from pipeline.store.ledger import Ledger
from pipeline.store.looks import Looks
from pipeline.store.pauses import Pauses
from pipeline.store.pull_plans import PullPlans
from pipeline.store.rates import Rates
from pipeline.store.vault import Vault
from settings import Settings, SettingsError

BY: Final = "cli"


class Stop(Exception):
    """Why a command ends here, as a sentence, and its exit status."""

    def __init__(self, sentence: str, status: Exit = Exit.FAILED) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass(frozen=True, slots=True)
class Books:
    """What is known of pulls in one store."""

    client: redis.Redis
    shards: Shards
    connections: Connections
    allowlists: Allowlists
    pauses: Pauses
    channel_pauses: ChannelPauses
    looks: Looks
    ledger: Ledger
    plans: PullPlans

    def now(self) -> int:
        """The store's clock, in microseconds."""
        return clock(self.client)

    def registered(self, connection: str) -> Registration:
        """A live connection. Raises `Stop` for any other."""
        try:
            known = self.connections.get(connection)
        except Rejected:
            raise Stop(f"{connection} is no connection: it is <user>/<org>.", Exit.USAGE) from None
        if known is None or not known.live:
            said = "is disconnected" if known else "is not known here"
            raise Stop(f"{connection} {said}: the core service registers it first (docs/adopt.md).", Exit.USAGE)
        return known

    def regime(self, known: Registration) -> Regime:
        """How fast its team's app may read."""
        return self.plans.rates.regime(split_connection(known.connection)[1], known.team or "")


def told(args: argparse.Namespace, do: Callable[[Books, argparse.Namespace], int]) -> int:
    """Run a command over the books; what stops it is said in a sentence, and gives the exit status."""
    settings = settings_for(args.state.resolve())
    if not settings.store_url:
        raise SettingsError("There is no store: start `./sluice up`, or set SLUICE_STORE_URL (op.env.example).")
    if not settings.vault_keys:
        raise SettingsError("SLUICE_VAULT_KEYS is not set: what the store knows of channels is sealed with it.")
    try:
        with _opened(settings) as books:
            return do(books, args)
    except Stop as stop:
        print(f"sluice: {stop}", file=sys.stderr)
        return stop.status
    except Unavailable as outage:
        print(f"sluice: {outage}; `./sluice doctor` looks what is wrong with it.", file=sys.stderr)
        return Exit.FAILED
    except SluiceError as error:
        print(f"sluice: {error}", file=sys.stderr)
        return Exit.FAILED


@contextmanager
def _opened(settings: Settings) -> Iterator[Books]:
    client, shards, vault = connect(settings.store_url), Shards(settings.shards), Vault(settings.vault_keys)
    overdue_us, days = int(settings.overdue_seconds * 1e6), settings.reread_days
    ledger, rates = Ledger(client, shards, vault, overdue_us=overdue_us, reread_days=days), Rates(client, shards)
    period_us = int(settings.pull_minutes * 60e6)
    try:
        yield Books(
            client=client,
            shards=shards,
            connections=Connections(client, shards, vault),
            allowlists=Allowlists(client, shards, vault, direct_messages=settings.allow_direct_messages),
            pauses=Pauses(client, shards),
            channel_pauses=ChannelPauses(client, shards, vault),
            looks=Looks(client, shards),
            ledger=ledger,
            plans=PullPlans(client, shards, rates, ledger.channels, default_us=period_us, reread_days=days),
        )
    finally:
        client.close()

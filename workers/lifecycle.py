"""What a worker process holds: stores, mesh, Paragon. Made after the fork, once a process; never shared over one."""

import logging
import time
from dataclasses import dataclass

from common_core import log_manager

from pipeline.delivery import Delivery, Engine, WrongEngineError, load_engine
from pipeline.paragon.client import ParagonClient
from pipeline.paragon.run_tokens import RunTokens
from pipeline.paragon.token import UserTokens
from pipeline.receiver import Receiver
from pipeline.stages.stores import Stores, make_stores
from pipeline.store import durability
from pipeline.store.client import connect
from pipeline.store.endpoint import Endpoint
from pipeline.store.keys import Shards
from pipeline.store.vault import Vault
from settings import Settings, SettingsError
from workers.looking import Directories, Looking, find_team
from workers.schedule import Outgoing, Pulls
from workers.telling import Telling

WEBHOOKS_PATH = "/v1/webhooks/slack"


@dataclass(frozen=True, slots=True)
class Process:
    """The stores of this process, its calls to Paragon, and what it tells the core service."""

    stores: Stores
    outgoing: Outgoing
    looking: Looking
    telling: Telling


def now_us() -> int:
    """The clock, in integer microseconds, UTC."""
    return time.time_ns() // 1000


def start(settings: Settings) -> Process:
    """Connect everything. Raises `durability.NotDurableError` where the store would not keep what it acknowledges."""
    log_manager.setup(level=settings.log_level, fmt=settings.log_format)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # its lines are addresses, of every request
    client = connect(settings.store_url)
    durability.check(client, settings.shards, asserted=settings.store_durability == "asserted")
    paragon = _paragon(settings)
    stores = make_stores(
        client,
        Shards(settings.shards),
        Vault(settings.vault_keys),
        Delivery(_engine(settings), shadow=settings.delivery == "shadow"),
        find_team=lambda connection: find_team(paragon, connection),
        now_us=now_us,
        overdue_us=int(settings.overdue_seconds * 1e6),
        pull_us=int(settings.pull_minutes * 60e6),
        reread_days=settings.reread_days,
        events=bool(settings.events_url),
        direct_messages=settings.allow_direct_messages,
    )
    webhooks = settings.public_url.rstrip("/") + WEBHOOKS_PATH
    pulls = Pulls(settings.paragon_workflow_messages, f"{webhooks}/messages", settings.pulls_at_once)
    ids = {"channels": settings.paragon_workflow_channels, "users": settings.paragon_workflow_users}
    directories = Directories({kind: workflow for kind, workflow in ids.items() if workflow}, webhooks)
    outgoing = Outgoing(stores, paragon, RunTokens(settings.run_token_keys), pulls)
    telling = Telling(stores, Endpoint(client, settings.events_url), _receiver(settings))
    return Process(stores, outgoing, Looking(stores, paragon, directories), telling)


def _receiver(settings: Settings) -> Receiver | None:
    return Receiver(settings.events_url, settings.events_secrets) if settings.events_url else None


def _engine(settings: Settings) -> Engine:
    token = settings.mesh_token.get_secret_value() or None
    try:
        return load_engine(settings.mesh_engine or None, settings.mesh_url or None, token)
    except WrongEngineError as error:
        raise SettingsError(f"SLUICE_MESH_ENGINE: {error}") from error


def _paragon(settings: Settings) -> ParagonClient:
    return ParagonClient(
        settings.paragon_project_id,
        api_url=settings.paragon_api_url,
        trigger_url=settings.paragon_trigger_url,
        proxy_url=settings.paragon_proxy_url,
        tokens=UserTokens(settings.paragon_signing_key, audience=settings.paragon_audience or None),
    )

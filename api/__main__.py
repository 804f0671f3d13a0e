"""`python -m api`: the composition root of the API. One uvicorn process on SLUICE_API_BIND."""

import logging
import sys
import time
from typing import Any

import uvicorn
from common_core import log_manager
from fastapi import FastAPI

from api.app import create_app
from api.bell import Bell, make_sender
from api.services import make_services
from api.verify import Verifier
from pipeline.errors import Unavailable
from pipeline.paragon.run_tokens import RunTokens
from pipeline.paragon.token import UserTokens
from pipeline.store import durability
from pipeline.store.client import INTAKE_TIMEOUT_SECONDS, connect, connect_async
from pipeline.store.intake import Intake
from pipeline.store.keys import Shards
from pipeline.store.vault import Vault
from settings import Settings, SettingsError

GRACE_SECONDS = 20


def build(settings: Settings) -> FastAPI:
    """The application as these settings want it."""
    # As short a patience as the intake's: a store that hangs is a 503 within two seconds on every route.
    client = connect(settings.store_url, timeout=INTAKE_TIMEOUT_SECONDS)
    shards, vault = Shards(settings.shards), Vault(settings.vault_keys)
    durability.check(client, settings.shards, asserted=settings.store_durability == "asserted")
    bell = Bell(make_sender(settings.broker_url))
    appender = connect_async(settings.store_url)
    intake = Intake(appender, shards, vault, backlog_limit=settings.backlog_limit, ring=bell)
    services = make_services(
        client,
        shards,
        vault,
        user_tokens=_user_tokens(settings),
        core_tokens=settings.core_tokens,
        overdue_us=int(settings.overdue_seconds * 1e6),
        pull_us=int(settings.pull_minutes * 60e6),
        reread_days=settings.reread_days,
        ring=bell,
        rings=bell.counts,
        now_us=lambda: time.time_ns() // 1000,
        delivery=settings.delivery,
        direct_messages=settings.allow_direct_messages,
        events_url=settings.events_url,
    )
    verifier = Verifier(
        RunTokens(settings.run_token_keys),
        settings.webhook_secrets,
        allow_messages_outside_runs=settings.allow_messages_outside_runs,
    )

    async def close() -> None:
        await intake.close()
        await appender.aclose()
        bell.close()
        client.close()

    return create_app(services, verifier, intake, body_limit=settings.body_limit_bytes, on_close=close)


def _user_tokens(settings: Settings) -> UserTokens:
    try:
        return UserTokens(settings.paragon_signing_key, audience=settings.paragon_audience or None)
    except ValueError as error:
        raise SettingsError(f"SLUICE_PARAGON_SIGNING_KEY is wrong: {error}.") from None


def serving(settings: Settings) -> dict[str, Any]:
    """How uvicorn serves the application: who may say where a request came from, and what it never says itself."""
    return {
        "host": settings.api_host,
        "port": settings.api_port,
        "loop": "uvloop",
        "http": "httptools",
        "access_log": False,
        "log_config": None,
        "server_header": False,
        # uvicorn would believe every neighbour on loopback, and FORWARDED_ALLOW_IPS, by default.
        "proxy_headers": bool(settings.trusted_proxies),
        "forwarded_allow_ips": settings.trusted_proxies,
        "timeout_graceful_shutdown": GRACE_SECONDS,
    }


def main() -> int:
    """Serve until SIGTERM; requests in flight get their answer first."""
    try:
        settings = Settings.load("api")
        log_manager.setup(level=settings.log_level, fmt=settings.log_format)
        app = build(settings)
    except (SettingsError, durability.NotDurableError, Unavailable) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    logging.getLogger("uvicorn.access").disabled = True
    uvicorn.run(app, **serving(settings))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The simulator as one ASGI application: Paragon below /projects, Slack below /slack, the test bench below /_sim."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from starlette.applications import Starlette
from starlette.routing import Mount

from simulator.callbacks import Courier
from simulator.channel_control import ChannelControl
from simulator.config import SimulatorConfig
from simulator.control import Control
from simulator.core_api import CoreApi
from simulator.core_service import CoreService
from simulator.events import EventsDoor
from simulator.export import read_export
from simulator.fault_control import FaultControl
from simulator.faults import Faults
from simulator.generate.workspace import generate
from simulator.happenings import Happenings
from simulator.ledger import Ledger
from simulator.metadata_control import MetadataControl
from simulator.mishaps import Mishaps
from simulator.paragon import Paragon
from simulator.portal import Portal
from simulator.slack.api import SlackApi
from simulator.slack.rates import RateLimits
from simulator.slack.shortening import Shortening
from simulator.triggers import Triggers
from simulator.workflows import Engine
from simulator.workspaces import Workspaces


def create_app(
    config: SimulatorConfig,
    callbacks: httpx.AsyncBaseTransport | None = None,
    core: httpx.AsyncBaseTransport | None = None,
) -> Starlette:
    """The simulator. Without a lifespan (ASGITransport), call `await app.state.engine.aclose()` at the end.

    `callbacks` is the transport that callbacks leave by, `core` the one that the core service's pages reach Sluice by:
    real HTTP unless given. Raises `simulator.export.BadExport`
    for a folder that is no export and `simulator.tokens.BadKey` for a key that is none.
    """
    workspaces, faults = _workspaces(config), Faults(config.seed, config.faults)
    slack, ledger, triggers = _slack(config, workspaces, faults), Ledger(), Triggers()
    slack_app = slack.app()
    courier = Courier(config, ledger, callbacks, faults)
    engine = Engine(config, slack_app, courier, Mishaps(faults, triggers, 60 * config.time_scale))
    happenings = Happenings(config, faults, workspaces, engine, triggers)
    paragon = Paragon(config, workspaces, engine, slack, triggers, happenings)
    control = Control(config, workspaces, engine, ledger, triggers, paragon.limit)

    channels = ChannelControl(workspaces, engine)
    pages = [*EventsDoor(config).routes(),
             *CoreService(config, CoreApi(config.core_api, config.core_token, core)).routes(),
             *Portal(config, workspaces, engine).routes()]  # fmt: skip

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await engine.aclose()

    bench = [*control.routes(), *channels.routes(), *MetadataControl(paragon).routes(),
             *FaultControl(happenings, workspaces).routes()]  # fmt: skip
    routes = [*paragon.routes(), Mount("/slack", slack_app), *bench, *pages]
    app = Starlette(routes=routes, lifespan=lifespan)
    app.state.engine = engine
    return app


def _slack(config: SimulatorConfig, workspaces: Workspaces, faults: Faults) -> SlackApi:
    return SlackApi(
        workspaces.by_token,
        config.page_limit,
        faults=faults,
        rates=RateLimits(config.time_scale),
        regime=config.regime,
        shortening=Shortening(config.seed, config.short_rate),
    )


def _workspaces(config: SimulatorConfig) -> Workspaces:
    if config.workspace is not None:
        exported = read_export(config.workspace)
        return Workspaces(1, lambda index: exported)
    return Workspaces(config.connections, lambda index: generate(config, index))

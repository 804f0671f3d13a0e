"""Records → mesh sessions. All that a company's own mesh needs to offer is `create_session` and `send_all_models`."""

import importlib
from collections.abc import Sequence
from typing import Any, Protocol

import common_mesh

from pipeline.errors import Refused, Unavailable
from pipeline.models import Internal

MODULE = "slack"
MOST_RECORDS = 1000
"""In one `send_all_models` call: at most one mesh batch, so that the allowlist is read before each."""

# Short: what the mesh does not take now is parked, and another connection's records go on meanwhile.
_POLICY = common_mesh.Policy(max_records=MOST_RECORDS, deadline=12.0, attempts=3)


class Session(Protocol):
    """One unit of work with the mesh."""

    def send_all_models(self, models: Any) -> Any:
        """Send; a report with `rejected` (index, id, reason), or None where all was accepted."""


class Engine(Protocol):
    """What makes sessions."""

    def create_session(self, org: str, module: str, model: str) -> Session:
        """A session for one model of one organisation."""


class Delivery:
    """Sends one model's records of one organisation. `shadow` counts and sends nothing."""

    def __init__(self, engine: Engine, *, shadow: bool = False) -> None:
        self._engine, self._shadow = engine, shadow

    def send(self, org: str, model: str, records: Sequence[Internal]) -> dict[int, str]:
        """Deliver; index → reason of the records that the mesh will never take.

        Raises `Unavailable` (also for an answer that cannot be understood) or `Refused`: nothing is lost by either,
        since what was not acknowledged is sent again under the same ids and versions.
        """
        if self._shadow:
            return {}
        try:
            session = self._engine.create_session(org, MODULE, model)
        except ValueError:
            return dict.fromkeys(range(len(records)), "bad_address")
        try:
            report = session.send_all_models(records)
        except common_mesh.Unavailable as error:
            raise Unavailable("mesh away", retry_after=error.retry_after) from error
        except common_mesh.Refused as error:
            raise Refused("mesh refuses") from error
        except common_mesh.ProtocolError as error:
            raise Unavailable("mesh not understood") from error
        return {} if report is None else {rejection.index: rejection.reason for rejection in report.rejected}


def load_engine(name: str | None, url: str | None, token: str | None) -> Engine:
    """The company's own engine (`module:factory`, called without arguments), else one that speaks PROTOCOL.md."""
    if name:
        module, _, factory = name.partition(":")
        engine: Engine = getattr(importlib.import_module(module), factory)()
        return engine
    return common_mesh.MeshEngine(base_url=url or "", token=token, policy=_POLICY)

"""Records → mesh sessions. All that a company's own mesh needs to offer is `create_session` and `send_all_models`."""

import importlib
import logging
import re
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

import common_mesh
from common_core.timing import timed

from pipeline.errors import Refused, Unavailable
from pipeline.models import Internal

MODULE: Final = "slack"
MOST_RECORDS: Final = 1000
"""In one `send_all_models` call: at most one mesh batch, so that the allowlist is read before each."""

# Short: what the mesh does not take now is parked, and another connection's records go on meanwhile.
POLICY: Final = common_mesh.Policy(max_records=MOST_RECORDS, deadline=12.0, attempts=3)
_REASON: Final = re.compile(r"[a-z][a-z0-9_]{0,47}\Z")
_log = logging.getLogger(__name__)
_timed = timed("mesh.send", _log, level=logging.DEBUG)


class WrongEngineError(ValueError):
    """`module:factory` leads to no engine; the text is a sentence without the setting's name in front."""


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

    @property
    def outcome(self) -> str:
        """What becomes of the records that are not refused, as counters name it: `delivered`, or only `shadow`."""
        return "shadow" if self._shadow else "delivered"

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
            with _timed:
                report = session.send_all_models(records)
        except common_mesh.Unavailable as error:
            raise Unavailable("mesh away", retry_after=error.retry_after) from error
        except common_mesh.Refused as error:
            raise Refused("mesh refuses") from error
        except common_mesh.ProtocolError as error:
            raise Unavailable("mesh not understood") from error
        return rejections(report, len(records))


def rejections(report: Any, records: int) -> dict[int, str]:
    """Index → reason, of a report on so many records. Raises `Refused` for what is no report: somebody must look.

    Taking it for a yes could lose records, and taking it for an outage would hide it.
    """
    if report is None:
        return {}
    try:
        refused = {rejection.index: _word(rejection.reason) for rejection in report.rejected}
    except (AttributeError, TypeError) as error:
        raise Refused("mesh engine gives no report") from error
    if not all(type(index) is int and 0 <= index < records for index in refused):
        raise Refused("mesh engine rejects what was not sent")
    return refused


def _word(reason: object) -> str:
    """A reason as dead letters and counters may name it in clear: a sentence of the mesh's could quote the record."""
    return reason if isinstance(reason, str) and _REASON.match(reason) else "other"


class Foreign:
    """A company's own engine. It knows nothing of our kinds of failure: whatever its sending raises is an outage.

    Its exception may quote a record: the log names its type and no more. `common_mesh`'s own errors pass.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create_session(self, org: str, module: str, model: str) -> Session:
        """Its session; ValueError says that it will never have this organisation or model."""
        return _ForeignSession(self._calling(lambda: self._engine.create_session(org, module, model)), self._calling)

    def _calling(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except (ValueError, common_mesh.MeshError):
            raise
        except Exception as error:  # noqa: BLE001 - theirs: what it is we cannot know, and nothing was acknowledged
            _log.warning("mesh.engine_failed", extra={"kind": type(error).__name__})
            raise Unavailable("mesh engine failed") from None


class _ForeignSession:
    def __init__(self, session: Session, calling: Callable[[Callable[[], Any]], Any]) -> None:
        self._session, self._calling = session, calling

    def send_all_models(self, models: Any) -> Any:
        """As the company's own. A ValueError of sending is an outage too: it is not about the address."""
        try:
            return self._calling(lambda: self._session.send_all_models(models))
        except ValueError as error:
            _log.warning("mesh.engine_failed", extra={"kind": type(error).__name__})
            raise Unavailable("mesh engine failed") from None


def load_engine(name: str | None, url: str | None, token: str | None) -> Engine:
    """The company's own engine (`module:factory`, called without arguments), else one that speaks PROTOCOL.md.

    Raises `WrongEngineError` where the module, the factory or what it makes is not what it should be.
    """
    return Foreign(_made(name)) if name else common_mesh.MeshEngine(base_url=url or "", token=token, policy=POLICY)


def _made(name: str) -> Engine:
    """What the factory makes. Exceptions are named, not quoted: they may hold a secret of the company's."""
    engine: Engine = _called(name, _factory(name))
    if isinstance(engine, type) or not callable(getattr(engine, "create_session", None)):
        raise WrongEngineError(f"{name!r} makes {_a(engine)}, which has no create_session(org, module, model).")
    return engine


def _factory(name: str) -> Callable[[], Any]:
    module, _, factory = name.partition(":")
    if not module or not factory:
        raise WrongEngineError(f"{name!r} is not of the form module:factory.")
    try:
        found = getattr(importlib.import_module(module), factory, None)
    except ModuleNotFoundError as error:
        what = "there is no such module" if error.name in _parents(module) else f"it needs {error.name!r}"
        raise WrongEngineError(f"{name!r} cannot be imported: {what} on this process's Python path.") from error
    except Exception as error:
        raise WrongEngineError(f"{name!r} cannot be imported: the module raises {type(error).__name__}.") from error
    if not callable(found):
        what = "has nothing of that name" if found is None else f"has {_a(found)} there, which cannot be called"
        raise WrongEngineError(f"{name!r} leads to no factory: the module {what}.")
    made: Callable[[], Any] = found
    return made


def _called(name: str, factory: Callable[[], Any]) -> Any:
    try:
        return factory()
    except Exception as error:
        raise WrongEngineError(f"{name!r} cannot be called without arguments: it raises {_a(error)}.") from error


def _parents(module: str) -> list[str]:
    """`a.b.c` → a, a.b, a.b.c."""
    parts = module.split(".")
    return [".".join(parts[: count + 1]) for count in range(len(parts))]


def _a(thing: object) -> str:
    kind = thing.__name__ if isinstance(thing, type) else type(thing).__name__
    return f"the class {kind} itself" if isinstance(thing, type) else f"a {kind}"

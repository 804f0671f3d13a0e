"""What `./sluice doctor` asks of the servers: do they answer, does the store survive, whose clock is wrong."""

import time
from collections.abc import Iterator
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx
import redis
from common_core import temporal
from common_mesh.transport import DeadlineTransport, until
from kombu.connection import Connection
from kombu.exceptions import KombuError, OperationalError

from cli.checkup import Line, without_password
from pipeline.certificates import distrusted
from pipeline.errors import Unavailable
from pipeline.store import durability
from pipeline.store.client import ask, clock, connect
from pipeline.store.keys import META
from settings import Settings, name_of
from workers.names import sending

PATIENCE = 5.0
"""Seconds for each server."""
_NOT_TRUSTED = "Its certificate is not trusted: name its CA (?ssl_ca_certs=…), and the host as the certificate does."
SKEW_WARN, SKEW_FAIL = 2.0, 45.0
"""Seconds. A User Token is dated back by 60 s: a clock that runs ahead by more makes tokens from the future."""


def store(settings: Settings) -> Iterator[Line]:
    """Reachable, durable, laid out for this shard count, same time. Nothing is written."""
    if not settings.store_url:
        yield Line("store", "warn", "nothing runs and none is set", "Start ./sluice up, or set SLUICE_STORE_URL.")
        return
    with connect(settings.store_url, timeout=PATIENCE) as client:
        try:
            begun, theirs = time.time(), clock(client) / 1e6
            yield Line("store", "ok", f"{without_password(settings.store_url)} answers, {_version(client)}")
            yield _durable(client, settings)
            yield _layout(client, settings)
            yield _skew("store", theirs, (begun + time.time()) / 2)
        except (Unavailable, redis.RedisError) as error:
            do = "Start it, or correct SLUICE_STORE_URL (user, password, rediss:// for TLS)."
            do = _NOT_TRUSTED if distrusted(error) else do
            yield Line("store", "fail", f"{without_password(settings.store_url)}: {_word(error)}", do)


def _version(client: redis.Redis) -> str:
    info = ask(client, "INFO", "server")
    name = "Valkey" if "valkey_version" in info else "Redis"
    return f"{name} {info.get('valkey_version') or info.get('redis_version')}"


def _durable(client: redis.Redis, settings: Settings) -> Line:
    """The start's own check of the configuration, without what it would write."""
    if settings.store_durability == "asserted":
        says = "asserted by SLUICE_STORE_DURABILITY, not verified"
        return Line("durability", "warn", says, "Be sure of appendonly yes, appendfsync always, noeviction.")
    try:
        durability.check_config(client)
    except durability.NotDurableError as error:
        return Line("durability", "fail", "a 202 would not mean kept", str(error))
    return Line("durability", "ok", "appendonly yes, appendfsync always, maxmemory-policy noeviction")


def _layout(client: redis.Redis, settings: Settings) -> Line:
    found = ask(client, "HGET", META, "shards")
    if found is None:
        return Line("layout", "ok", "the store is fresh: the first start lays it out")
    if int(found) != settings.shards:
        do = f"Set SLUICE_SHARDS={int(found)}."
        return Line("layout", "fail", f"the store has {int(found)} shards, the settings say {settings.shards}", do)
    return Line("layout", "ok", f"{settings.shards} shards, as the settings say")


def broker(settings: Settings) -> Iterator[Line]:
    """Whether Celery could reach its broker, whatever it is."""
    if not settings.broker_url:
        yield Line("broker", "warn", "nothing runs and none is set", "Start ./sluice up, or set SLUICE_BROKER_URL.")
        return
    shown = without_password(settings.broker_url)
    told = sending(settings.broker_url)  # as the senders themselves: TLS is verified alike
    try:
        with Connection(
            told["broker_url"],
            connect_timeout=PATIENCE,
            ssl=told["broker_use_ssl"],
            transport_options=told["broker_transport_options"],
        ) as one:
            one.ensure_connection(max_retries=1, timeout=PATIENCE)
            one.default_channel  # noqa: B018 - opens one, which is what a wrong password or virtual host refuses
    except (OperationalError, KombuError, OSError, redis.RedisError) as error:
        do = "Start it, or correct SLUICE_BROKER_URL. Without it nothing is lost: the sweep drains, more slowly."
        do = _NOT_TRUSTED if distrusted(error) else do
        yield Line("broker", "fail", f"{shown}: {_word(error)}", do)
        return
    yield Line("broker", "ok", f"{shown} answers")


class Host(NamedTuple):
    """An address that somebody must reach, by what it is for; `field` is that of the settings."""

    name: str
    url: str
    field: str


def hosts(settings: Settings, *, transport: httpx.BaseTransport | None = None) -> Iterator[Line]:
    """Every address of the settings answers HTTP; Paragon's clock beside ours; ours from outside."""
    named = []
    if settings.paragon_project_id:
        named += [Host(f"Paragon's {part} host", getattr(settings, f"paragon_{part}_url"), f"paragon_{part}_url")
                  for part in ("api", "trigger", "proxy")]  # fmt: skip
    named += [Host("mesh host", settings.mesh_url, "mesh_url")] if settings.mesh_url else []
    named += [Host("events address", settings.events_url, "events_url")] if settings.events_url else []
    wire = DeadlineTransport(4) if transport is None else transport
    with httpx.Client(transport=wire, timeout=PATIENCE, trust_env=False) as client:
        for host in named:
            yield from _host(client, host)
        yield from _public(client, settings)


def _host(client: httpx.Client, host: Host) -> Iterator[Line]:
    try:
        begun, answer = time.time(), _get(client, host.url)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        do = f"Correct {name_of(host.field)}, or let this machine reach it (name, firewall, certificate)."
        yield Line(host.name, "fail", f"{without_password(host.url)}: {_word(error)}", do)
        return
    yield Line(host.name, "ok", f"{without_password(host.url)} answers ({answer.status_code})")
    if host.field == "paragon_api_url" and (theirs := _date(answer)) is not None:
        # The header has whole seconds: half of one is the best guess.
        yield _skew("Paragon", theirs + 0.5, (begun + time.time()) / 2)


def _public(client: httpx.Client, settings: Settings) -> Iterator[Line]:
    """Where Paragon posts to: our own API must answer there, and not on an address that only we have."""
    if not settings.public_url:
        do = "Set SLUICE_PUBLIC_URL to where Paragon reaches this API."
        yield Line("public address", "warn", "SLUICE_PUBLIC_URL is not set", do)
        return
    shown = without_password(settings.public_url)
    if is_local(settings.public_url) and settings.paragon_project_id and not is_local(settings.paragon_api_url):
        do = "Paragon cannot post to it: set SLUICE_PUBLIC_URL to a public address or a tunnel."
        yield Line("public address", "fail", f"{shown} is only reachable from this machine or network", do)
        return
    try:
        answer = _get(client, settings.public_url.rstrip("/") + "/readyz")
        ready = answer.json().get("ready") if answer.status_code in (200, 503) else None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        do = "Start the API, and lead SLUICE_PUBLIC_URL (proxy, tunnel) to SLUICE_API_BIND."
        yield Line("public address", "fail", f"{shown}: {_word(error)}", do)
        return
    except (ValueError, AttributeError):
        ready = None
    if ready is None:
        do = "Something else answers there: lead SLUICE_PUBLIC_URL to SLUICE_API_BIND."
        yield Line("public address", "fail", f"{shown}/readyz is not this API's ({answer.status_code})", do)
    elif ready:
        yield Line("public address", "ok", f"{shown}: the API answers and is ready")
    else:
        yield Line("public address", "fail", f"{shown}: the API answers 503", "Look at /readyz: it names the part.")


def _get(client: httpx.Client, url: str) -> httpx.Response:
    with until(time.monotonic() + PATIENCE), client.stream("GET", url) as answer:
        if answer.headers.get("content-type", "").startswith("application/json"):
            answer.read()
    return answer


def is_local(url: str) -> bool:
    """Whether an address is of this machine or of a private network."""
    host = urlsplit(url).hostname or ""
    try:
        return not ip_address(host).is_global
    except ValueError:
        return host == "localhost" or host.endswith((".local", ".localhost", ".internal"))


def _date(answer: httpx.Response) -> float | None:
    try:
        return temporal.to_us(temporal.from_rfc2822(answer.headers.get("Date", ""))) / 1e6
    except temporal.UnreadableTime:
        return None


def _skew(whose: str, theirs: float, ours: float) -> Line:
    off = theirs - ours
    says = f"{whose}: {abs(off):.1f} s {'ahead of' if off > 0 else 'behind'} this machine"
    if abs(off) < SKEW_WARN:
        return Line("clock", "ok", says)
    do = "Set the clocks by NTP on both; tokens are good from 60 s before to 59 min after now."
    return Line("clock", "fail" if abs(off) > SKEW_FAIL else "warn", says, do)


def _word(error: BaseException) -> str:
    """The kind of an error: its text may quote an address with a password."""
    return error.what if isinstance(error, Unavailable) else type(error).__name__

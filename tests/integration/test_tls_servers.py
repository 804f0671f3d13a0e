"""Store and broker over TLS, by their addresses alone: verified, and a sentence where a certificate is not trusted."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from kombu.connection import Connection
from kombu.exceptions import OperationalError
from sluice import SHARDS, Sluice, page

from api.bell import make_sender
from cli.checkup_servers import broker, store
from cli.options import StackOptions
from cli.stack import Stack
from pipeline.certificates import distrusted
from pipeline.errors import Unavailable
from pipeline.store import durability
from pipeline.store.client import DISTRUSTED, ask, connect
from settings import Settings
from tests.eventually import eventually
from tests.integration.other_broker import OtherBroker
from tests.integration.tls_servers import PROGRAM, WHY_NOT, Authority, TlsRedis
from workers import trust
from workers.names import sending

pytestmark = [pytest.mark.tls, pytest.mark.skipif(PROGRAM is None, reason=WHY_NOT)]

VAULT = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("stranger"), "stranger")


@pytest.fixture(scope="module")
def server(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsRedis]:
    with TlsRedis(tmp_path_factory.mktemp("server"), authority, authority.issue("server"), sentinel=True) as running:
        yield running


@pytest.fixture(scope="module")
def elsewhere(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsRedis]:
    """Its certificate is made out to another host than the one that it is reached at."""
    made_out = authority.issue("elsewhere", host="redis.example")
    with TlsRedis(tmp_path_factory.mktemp("elsewhere"), authority, made_out) as running:
        yield running


@pytest.fixture
def addresses(server: TlsRedis, elsewhere: TlsRedis, stranger: Authority) -> dict[str, str]:
    """Why nothing may come through → the address."""
    return {
        "another CA": f"{server.address}?ssl_ca_certs={stranger.file}",
        "no CA but the system's": server.address,
        "another name": elsewhere.url,
    }


WRONG = ("another CA", "no CA but the system's", "another name")


def settings(**given: str) -> Settings:
    return Settings.load("cli", environ={f"SLUICE_{name.upper()}": value for name, value in given.items()}, op_env=None)


def test_callbacks_are_kept_and_delivered_through_a_store_over_tls(server: TlsRedis) -> None:
    sluice = Sluice(settings(store_url=server.url).store_url)
    try:
        sluice.client.flushall()
        durability.check(sluice.client, SHARDS.count, asserted=False)
        sluice.register()
        sluice.allow("C1")
        sluice.receive(page("C1", "1700000000.000100"))
        sluice.drain()
        assert len(sluice.live()) == 1
    finally:
        sluice.close()


@pytest.mark.parametrize("why", WRONG)
def test_a_start_ends_with_a_sentence_where_the_store_is_not_trusted(why: str, addresses: dict[str, str]) -> None:
    with (
        connect(addresses[why]) as client,
        pytest.raises(durability.NotDurableError, match=r"certificate is not trusted.*\?ssl_ca_certs="),
    ):
        durability.check(client, SHARDS.count, asserted=True)


@pytest.mark.parametrize("why", WRONG)
def test_nothing_is_said_to_a_store_that_is_not_trusted(why: str, addresses: dict[str, str]) -> None:
    with connect(addresses[why]) as client, pytest.raises(Unavailable, match=DISTRUSTED):
        ask(client, "SET", "a", "b")
    sluice = Sluice(addresses[why])
    try:
        with pytest.raises(Unavailable, match=DISTRUSTED):
            sluice.receive(page("C1", "1700000000.000100"))
    finally:
        sluice.close()


def test_a_stack_works_with_store_and_broker_over_tls(server: TlsRedis, tmp_path: Path) -> None:
    store_url = server.url
    with connect(store_url) as client:
        client.flushall()
    given = {"SLUICE_STORE_URL": store_url, "SLUICE_VAULT_KEYS": VAULT}
    with OtherBroker(tmp_path, server.url.replace("/0?", "/1?"), given) as world:
        assert not {"store", "broker"} & set(world.stack.names)
        assert world.delivers()


def test_a_worker_drains_through_sentinels_that_speak_tls(server: TlsRedis, tmp_path: Path) -> None:
    with OtherBroker(tmp_path, server.by_sentinel) as world:
        assert world.delivers()


def reach(told: dict[str, Any]) -> None:
    options = told["broker_transport_options"]
    with Connection(told["broker_url"], ssl=told["broker_use_ssl"], transport_options=options) as one:
        one.ensure_connection(max_retries=1, timeout=3)
        one.default_channel  # noqa: B018 - opens one


@pytest.mark.parametrize("why", WRONG)
def test_a_broker_that_is_not_trusted_is_not_spoken_to(why: str, addresses: dict[str, str]) -> None:
    with pytest.raises((OperationalError, redis.ConnectionError)) as refused:
        reach(sending(addresses[why]))
    assert distrusted(refused.value)


@pytest.mark.parametrize("why", WRONG)
def test_a_worker_says_at_its_start_that_the_broker_is_not_trusted(
    why: str, addresses: dict[str, str], server: TlsRedis, caplog: pytest.LogCaptureFixture
) -> None:
    with make_sender(server.url) as app:
        assert trust.look(app)
    assert not caplog.records
    with make_sender(addresses[why]) as app:
        assert not trust.look(app)
    assert [record.__dict__["says"] for record in caplog.records] == [trust.SAYS]


def test_a_worker_process_logs_what_it_would_not_start_with(server: TlsRedis, tmp_path: Path) -> None:
    """Broker and store are both a stranger's; the process looks at both by itself."""
    stranger = Authority(tmp_path, "stranger")
    wrong = f"{server.address}?ssl_ca_certs={stranger.file}"
    given = {"SLUICE_STORE_URL": wrong, "SLUICE_VAULT_KEYS": VAULT, "SLUICE_BROKER_URL": wrong}
    with Stack(tmp_path / "stack", StackOptions(given=given, restart_crashed=False)) as stack:
        stack.start(["worker"])
        log = stack.log("worker-1")
        for said in ("broker.not_trusted", "end of SLUICE_BROKER_URL", "start.refused", "end of SLUICE_STORE_URL"):
            eventually(lambda said=said: said in log.read_text(), said)


def test_sentinels_that_are_not_trusted_are_not_spoken_to(server: TlsRedis, stranger: Authority) -> None:
    reach(sending(server.by_sentinel))
    with pytest.raises((OperationalError, redis.ConnectionError)):
        reach(sending(server.by_sentinel.replace(str(server.authority.file), str(stranger.file))))


@pytest.mark.parametrize("why", WRONG)
def test_the_doctor_says_what_to_do(why: str, addresses: dict[str, str]) -> None:
    known = settings(store_url=addresses[why], broker_url=addresses[why])
    for line in (*store(known), *broker(known)):
        assert (line.level, "?ssl_ca_certs=" in str(line.do)) == ("fail", True), line

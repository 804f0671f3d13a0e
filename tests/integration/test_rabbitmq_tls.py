"""RabbitMQ over TLS, by SLUICE_BROKER_URL alone. Runs where its server is installed already."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from kombu.connection import Connection
from kombu.exceptions import OperationalError

from pipeline.certificates import distrusted
from tests.integration.other_broker import OtherBroker
from tests.integration.rabbit import PROGRAM, Rabbit
from tests.integration.tls_servers import Authority
from workers.names import sending

pytestmark = [
    pytest.mark.rabbitmq,
    pytest.mark.skipif(PROGRAM is None, reason="no rabbitmq-server here; on Debian: apt-get install rabbitmq-server"),
]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def rabbit(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rabbit]:
    """Made out to the name `localhost`, so that by its number it is another host."""
    with Rabbit(tmp_path_factory.mktemp("rabbit"), authority, "localhost") as running:
        yield running


def by_name(url: str) -> str:
    return url.replace("127.0.0.1", "localhost")


def test_a_worker_drains_what_is_rung_through_rabbitmq_over_tls(
    rabbit: Rabbit, authority: Authority, tmp_path: Path
) -> None:
    with OtherBroker(tmp_path, f"{by_name(rabbit.secure)}?ssl_ca_certs={authority.file}") as world:
        assert world.delivers()


@pytest.mark.parametrize("why", ["another CA", "no CA but the system's", "another name"])
def test_a_rabbitmq_that_is_not_trusted_is_not_spoken_to(
    rabbit: Rabbit, authority: Authority, tmp_path: Path, why: str
) -> None:
    address = {
        "another CA": f"{by_name(rabbit.secure)}?ssl_ca_certs={Authority(tmp_path, 'stranger').file}",
        "no CA but the system's": by_name(rabbit.secure),
        "another name": f"{rabbit.secure}?ssl_ca_certs={authority.file}",
    }[why]
    told = sending(address)
    with (
        Connection(told["broker_url"], ssl=told["broker_use_ssl"], connect_timeout=5) as one,
        pytest.raises(OperationalError) as refused,
    ):
        one.ensure_connection(max_retries=1, timeout=5)
    assert distrusted(refused.value)

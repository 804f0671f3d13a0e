"""Celery's broker behind real Sentinels, by SLUICE_BROKER_URL alone; and what such an address must say."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.dev_secrets import DevSecrets
from cli.stand_ins import build
from settings import SettingsError
from tests.integration.other_broker import OtherBroker
from tests.integration.sentinels import Sentinels
from workers.names import sending

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def sentinels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sentinels]:
    with Sentinels(tmp_path_factory.mktemp("sentinels")) as running:
        yield running


def test_a_worker_drains_through_sentinels_and_again_after_they_have_failed_over(
    sentinels: Sentinels, tmp_path: Path
) -> None:
    with OtherBroker(tmp_path, sentinels.url) as world:
        assert "broker" not in world.stack.names
        assert world.delivers()
        sentinels.fail_over()
        pid = world.stack.pid("worker-1")
        assert world.delivers(), "rings that met the failover may be lost, later ones are not"
        assert world.stack.pid("worker-1") == pid, "the worker found the new one by itself"


def test_every_host_gets_the_same_user_and_database_and_the_sentinels_their_own_password() -> None:
    conf = sending("sentinel://bob:p%40ss@one:1;two:2;three/3?master_name=m&sentinel_user=eve&sentinel_password=s%26")
    hosts = conf["broker_url"].split(";")
    assert hosts == [f"sentinel://bob:p%40ss@{host}/3" for host in ("one:1", "two:2", "three")]
    options = conf["broker_transport_options"]
    assert options["master_name"] == "m"
    assert options["sentinel_kwargs"].items() >= {"username": "eve", "password": "s&"}.items()
    assert options["socket_timeout"] == options["sentinel_kwargs"]["socket_timeout"] == 3


def test_one_host_without_database_or_password_is_enough() -> None:
    conf = sending("sentinel://one:26379?master_name=m")
    assert conf["broker_url"] == "sentinel://one:26379/0"
    assert "password" not in conf["broker_transport_options"]["sentinel_kwargs"]


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("sentinel://one:1;two:2/0", "must end in ?master_name="),
        ("sentinel://one:1?master_name=", "must end in ?master_name="),
        ("kafka://one", "must begin with one of redis://, rediss://, sentinel://, sentinels://, amqp"),
        ("localhost:6379", "must begin with one of"),
    ],
)
def test_an_address_that_cannot_work_stops_the_start_with_a_sentence(tmp_path: Path, url: str, sentence: str) -> None:
    with pytest.raises(SettingsError) as stopped:
        build({"SLUICE_BROKER_URL": url}, DevSecrets.in_directory(tmp_path), preferred_ports=False)
    assert str(stopped.value).startswith("SLUICE_BROKER_URL ")
    assert sentence in str(stopped.value)

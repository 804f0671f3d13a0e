"""What an address may say of TLS: files that are there, and nothing that switches verification off."""

import ssl
from pathlib import Path

import pytest

from settings import Settings, SettingsError
from workers.names import sending


def load(**given: str) -> Settings:
    return Settings.load("cli", environ={f"SLUICE_{name.upper()}": value for name, value in given.items()}, op_env=None)


@pytest.fixture
def file(tmp_path: Path) -> str:
    (made := tmp_path / "ca.pem").write_text("a certificate")
    return str(made)


@pytest.mark.parametrize("name", ["store_url", "broker_url"])
@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("rediss://one?ssl_cert_reqs=none", "certificates are verified"),
        ("rediss://one?ssl_check_hostname=false", "certificates are verified"),
        ("rediss://one?ssl=false", "certificates are verified"),
        ("rediss://one?ssl_ca_certs=/no/such/file", "a file as ssl_ca_certs that is not there"),
        ("redis://one?ssl_ca_certs={file}", "does not begin with one of rediss://"),
        ("rediss://one?ssl_certfile={file}", "both ssl_certfile and ssl_keyfile"),
    ],
)
def test_what_cannot_be_done_stops_the_start_with_a_sentence(name: str, url: str, sentence: str, file: str) -> None:
    with pytest.raises(SettingsError) as stopped:
        load(**{name: url.format(file=file)})
    assert str(stopped.value).startswith(f"SLUICE_{name.upper()} ")
    assert sentence in str(stopped.value)
    assert file not in str(stopped.value)


def test_every_broker_over_tls_is_verified_to_the_name(file: str) -> None:
    """kombu's own default verifies nothing for rediss, and py-amqp's no name."""
    for url in ("rediss://one", "sentinels://one?master_name=m"):
        assert sending(url)["broker_use_ssl"] == {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_check_hostname": True}
    assert sending("amqps://one//")["broker_use_ssl"] == {"cert_reqs": ssl.CERT_REQUIRED, "server_hostname": "one"}
    told = sending(f"amqps://bob:p%40ss@one:5671/v?heartbeat=3&ssl_ca_certs={file}")
    assert told["broker_url"] == "amqps://bob:p%40ss@one:5671/v?heartbeat=3"
    assert told["broker_use_ssl"]["ca_certs"] == file
    for url in ("redis://one", "amqp://one//", "sentinel://one?master_name=m"):
        assert sending(url)["broker_use_ssl"] is False


def test_sentinels_and_broker_speak_tls_together_or_not_at_all(file: str) -> None:
    told = sending(f"sentinels://:w@one:1;two/3?master_name=m&sentinel_password=s%26&ssl_ca_certs={file}")
    assert told["broker_url"] == "sentinel://:w@one:1/3;sentinel://:w@two/3"
    theirs = told["broker_transport_options"]["sentinel_kwargs"]
    assert theirs.items() >= {"ssl": True, "ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_ca_certs": file}.items()
    assert theirs["password"] == "s&"
    assert told["broker_use_ssl"]["ssl_ca_certs"] == file
    assert "ssl" not in sending("sentinel://one?master_name=m")["broker_transport_options"]["sentinel_kwargs"]

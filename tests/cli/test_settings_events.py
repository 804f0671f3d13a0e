"""The settings of outgoing events: an address and what signs, both or none, and nothing that only looks so."""

import base64

import pytest

from settings import Settings, SettingsError

SECRET = f"whsec_{base64.b64encode(bytes(32)).decode()}"
GIVEN = {"SLUICE_EVENTS_URL": "https://core.example.com/events", "SLUICE_EVENTS_SECRETS": SECRET}


def load(**changes: str) -> Settings:
    return Settings.load("cli", environ={**GIVEN, **changes}, op_env=None)


def refusal(**changes: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load(**changes)
    return str(caught.value)


def test_an_address_and_a_secret_are_taken_and_neither_is_needed() -> None:
    found = load()
    assert found.events_url == "https://core.example.com/events"
    assert [secret.get_secret_value() for secret in found.events_secrets] == [SECRET]
    none = load(SLUICE_EVENTS_URL="", SLUICE_EVENTS_SECRETS="")
    assert (none.events_url, none.events_secrets) == ("", [])


def test_half_of_the_group_stops_the_start() -> None:
    assert "The events group is half set" in refusal(SLUICE_EVENTS_SECRETS="")
    assert "missing: SLUICE_EVENTS_URL" in refusal(SLUICE_EVENTS_URL="")


@pytest.mark.parametrize(
    "url",
    [
        "https://core.example.com",
        "https://core.example.com:8443/a/b?tenant=1",
        "http://127.0.0.1:8602/core/events",
        "http://localhost/events",
        "http://[::1]:80/",
    ],
)
def test_addresses_that_are_taken(url: str) -> None:
    assert load(SLUICE_EVENTS_URL=url).events_url == url


@pytest.mark.parametrize(
    "url",
    [
        "http://core.example.com/events",
        "http://127.0.0.1.example.com/events",
        "http://localhost.example.com/",
        "https://name:password@core.example.com/",
        "https://core.example.com/#part",
        "https://core.example.com/a b",
        "https://core.example.com:99999/",
        "https://core.example.com:0/",
        "https://[::1/",
        "core.example.com",
        "ftp://core.example.com/",
    ],
)
def test_addresses_that_would_show_events_or_a_password_are_refused(url: str) -> None:
    said = refusal(SLUICE_EVENTS_URL=url)
    assert said.startswith("SLUICE_EVENTS_URL must be https://<host>")
    assert "example" not in said


@pytest.mark.parametrize(
    "secret",
    [
        base64.b64encode(bytes(32)).decode(),
        "whsec_",
        "whsec_" + base64.b64encode(bytes(23)).decode(),
        "whsec_" + base64.b64encode(bytes(65)).decode(),
        SECRET[:-3] + "!!=",
        "whsk_" + base64.b64encode(bytes(32)).decode(),
    ],
)
def test_what_is_no_secret_of_standard_webhooks_is_refused_and_not_shown(secret: str) -> None:
    assert refusal(SLUICE_EVENTS_SECRETS=secret) == (
        "SLUICE_EVENTS_SECRETS has a secret that is not whsec_<24 to 64 bytes in base64>."
    )


def test_two_secrets_are_taken_while_one_follows_the_other_and_three_are_not() -> None:
    other = f"whsec_{base64.b64encode(bytes([1]) * 24).decode().rstrip('=')}"
    assert len(load(SLUICE_EVENTS_SECRETS=f"{SECRET}, {other}").events_secrets) == 2
    assert "more than two secrets" in refusal(SLUICE_EVENTS_SECRETS=f"{SECRET},{SECRET},{SECRET}")


def test_the_secret_is_not_shown_with_the_settings() -> None:
    assert SECRET not in repr(load())

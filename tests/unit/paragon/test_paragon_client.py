import json
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import Refused, Rejected, SluiceError, Unavailable
from pipeline.paragon.client import ANSWER_LIMIT, ParagonClient
from pipeline.paragon.errors import AccessRefused, ParagonRefused, RequestRefused, SlackRefused, refusal, retry_after
from pipeline.paragon.me import read_me

NOW = 1_700_000_000.0
CANARY = "canary-5K"
Clients = Callable[..., ParagonClient]
ME = {
    "authenticated": True,
    "userId": "ann/acme",
    "meta": {"plan": "gold"},
    "integrations": {
        "slack": {
            "enabled": True,
            "credentialId": "cred-1",
            "credentialStatus": "VALID",
            "providerId": "U1",
            "providerData": {"team": {"id": "T0ACME", "name": "Acme"}},
            "configuredWorkflows": {"w1": {"enabled": True}, "w2": {"enabled": False}},
        }
    },
}


class Paragon:
    """A Paragon user with metadata; `merges` is what its documentation does not tell."""

    def __init__(self, meta: dict[str, Any], *, merges: bool = False, forgets: str = "") -> None:
        self.meta, self.merges, self.forgets = meta, merges, forgets
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if request.method == "PATCH":
            sent = json.loads(request.content)["meta"]
            self.meta = {**(self.meta if self.merges else {}), **sent}
            self.meta.pop(self.forgets, None)
        return httpx.Response(200, content=json.dumps(ME | {"meta": self.meta}))


def always(
    status: int, body: Any = None, headers: dict[str, str] | None = None
) -> Callable[[httpx.Request], httpx.Response]:
    return lambda _: httpx.Response(status, json=body, headers=headers)


def test_me_is_typed(client_for: Clients) -> None:
    me = client_for(always(200, ME)).me("ann/acme")
    assert (me.user_id, me.meta, me.slack.enabled, me.slack.credential_status) == (
        "ann/acme",
        {"plan": "gold"},
        True,
        "VALID",
    )
    assert (me.slack.team, me.slack.team_name, me.slack.provider_id) == ("T0ACME", "Acme", "U1")
    assert me.slack.workflows == {"w1"}


@pytest.mark.parametrize(
    ("provider", "team"),
    [
        ({"team_id": "T1"}, "T1"),
        ({"teamId": "T2"}, "T2"),
        ({"team": "T3"}, "T3"),
        ({"team": "Acme Inc"}, None),
        ({"team": {"id": 7}}, None),
        (None, None),
        ("T4", None),
    ],
)
def test_a_team_is_known_only_by_its_id(provider: object, team: str | None) -> None:
    assert read_me({"integrations": {"slack": {"providerData": provider}}}).slack.team == team


me_names = st.sampled_from(["slack", "providerData", "team", "id", "configuredWorkflows", "enabled", "credentialId"])


@given(
    st.recursive(
        st.none() | st.booleans() | st.text(max_size=3),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(me_names, inner),
        max_leaves=15,
    )
)
def test_any_answer_of_sdk_me_is_read(answer: object) -> None:
    assert read_me({"integrations": answer, "userId": answer, "authenticated": answer}).meta == {}


def test_a_request_carries_the_users_token_and_goes_to_its_own_host(client_for: Clients) -> None:
    seen: list[httpx.Request] = []
    client = client_for(lambda request: (seen.append(request), httpx.Response(202, json=ME))[1])
    client.me("ann/acme")
    client.trigger("ann/acme", "w/1", {"run_id": "r"})
    client.proxy("ann/acme", "slack", "auth.test", params={"a": "b"})
    assert [str(request.url) for request in seen] == [
        "https://api.test/projects/proj%2F1/sdk/me",
        "https://zeus.test/projects/proj%2F1/sdk/triggers/w%2F1",
        "https://proxy.test/projects/proj%2F1/sdk/proxy/slack/auth.test?a=b",
    ]
    assert all(request.headers["authorization"].startswith("Bearer ey") for request in seen)
    assert json.loads(seen[1].content) == {"run_id": "r"}


@pytest.mark.parametrize("merges", [True, False])
def test_metadata_is_merged_whether_paragon_merges_or_replaces(client_for: Clients, merges: bool) -> None:
    paragon = Paragon({"plan": "gold", "odd": "\ud83d", "userid": "old"}, merges=merges)
    result = client_for(paragon).merge_meta("ann/acme", {"userid": "ann/acme", "allowListedChannels": ["C1"]})
    assert paragon.meta == {"plan": "gold", "odd": "\ud83d", "userid": "ann/acme", "allowListedChannels": ["C1"]}
    assert (result.meta, result.changed) == (paragon.meta, True)
    assert [request.method for request in paragon.requests] == ["GET", "PATCH", "GET"]


def test_a_shorter_list_replaces_the_longer_one_whole(client_for: Clients) -> None:
    paragon = Paragon({"allowListedChannels": ["C1", "C2"]})
    client_for(paragon).merge_meta("ann/acme", {"allowListedChannels": []})
    assert paragon.meta["allowListedChannels"] == []


def test_metadata_that_holds_our_values_is_not_written_again(client_for: Clients) -> None:
    paragon = Paragon({"userid": "ann/acme", "plan": "gold"})
    assert not client_for(paragon).merge_meta("ann/acme", {"userid": "ann/acme"}).changed
    assert [request.method for request in paragon.requests] == ["GET"]


@pytest.mark.parametrize("forgets", ["allowListedChannels", "plan"])
def test_metadata_that_reads_back_otherwise_is_tried_again_later(client_for: Clients, forgets: str) -> None:
    client = client_for(Paragon({"plan": "gold"}, forgets=forgets))
    with pytest.raises(Unavailable, match="differs"):
        client.merge_meta("ann/acme", {"allowListedChannels": ["C1"]})


def test_metadata_that_is_no_object_is_not_written_over(client_for: Clients) -> None:
    paragon = Paragon({})
    paragon.meta = ["kept"]  # type: ignore[assignment]
    with pytest.raises(Unavailable):
        client_for(paragon).merge_meta("ann/acme", {"userid": "ann/acme"})
    assert len(paragon.requests) == 1


@pytest.mark.parametrize(
    ("status", "slack", "kind"),
    [
        (400, False, RequestRefused),
        (404, False, RequestRefused),
        (422, False, RequestRefused),
        (401, False, AccessRefused),
        (403, False, AccessRefused),
        (302, False, AccessRefused),
        (400, True, SlackRefused),
        (403, True, SlackRefused),
        (500, True, SlackRefused),
        (408, False, Unavailable),
        (429, False, Unavailable),
        (429, True, Unavailable),
        (500, False, Unavailable),
        (503, False, Unavailable),
    ],
)
def test_errors_are_told_apart_by_kind(client_for: Clients, status: int, slack: bool, kind: type[Exception]) -> None:
    body = {"message": [CANARY], "code": "12", "status": status, "meta": {"isIntegrationError": slack}}
    requests: list[httpx.Request] = []
    client = client_for(
        lambda r: (requests.append(r), httpx.Response(status, json=body, headers={"Location": "/x"}))[1]
    )
    with pytest.raises(SluiceError) as caught:
        client.trigger("ann/acme", "w1", {})
    assert type(caught.value) is kind
    assert CANARY not in repr(caught.value) + str(caught.value)
    assert len(requests) == 1


def test_the_tree_is_as_it_is_drawn() -> None:
    assert issubclass(RequestRefused, Rejected)
    assert not issubclass(RequestRefused, Unavailable)
    assert issubclass(AccessRefused, Refused)
    assert issubclass(SlackRefused, Refused)
    assert all(issubclass(kind, ParagonRefused) for kind in (RequestRefused, AccessRefused))


@pytest.mark.parametrize(
    "body", [None, [], "no", {"meta": None}, {"meta": {"isIntegrationError": "yes"}, "code": CANARY * 9}]
)
def test_an_error_body_of_any_shape_is_an_error_by_its_status(body: object) -> None:
    error = refusal(400, body)
    assert isinstance(error, RequestRefused)
    assert CANARY not in error.code


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("-3", 0.0),
        ("99999999", 86_400.0),
        ("nan", None),
        ("inf", None),
        ("soon", None),
        ("", None),
        (format_datetime(datetime.fromtimestamp(NOW + 42, UTC), usegmt=True), 42.0),
        (format_datetime(datetime.fromtimestamp(NOW - 42, UTC), usegmt=True), 0.0),
        (datetime.fromtimestamp(NOW + 42, UTC).ctime(), 42.0),
        (format_datetime(datetime.fromtimestamp(NOW + 42, UTC)).replace("+0000", "-0000"), 42.0),
    ],
)
def test_retry_after_is_read_in_both_forms(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, NOW) == seconds


@given(st.text())
def test_any_retry_after_is_sensible_or_nothing(value: str) -> None:
    seconds = retry_after(value, NOW)
    assert seconds is None or 0 <= seconds <= 86_400


def test_an_outage_says_how_long_it_asks_to_wait(client_for: Clients) -> None:
    with pytest.raises(Unavailable) as caught:
        client_for(always(503, None, {"Retry-After": "12"})).me("ann/acme")
    assert caught.value.retry_after == 12.0


def test_a_token_that_paragon_does_not_know_is_a_refusal_that_waits(client_for: Clients) -> None:
    with pytest.raises(AccessRefused):
        client_for(always(200, {"authenticated": False})).me("ann/acme")


@pytest.mark.parametrize("error", [httpx.ReadTimeout, httpx.ConnectError, httpx.ReadError, httpx.RemoteProtocolError])
def test_a_line_that_fails_is_an_outage(client_for: Clients, error: type[httpx.TransportError]) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise error(CANARY, request=request)

    with pytest.raises(Unavailable) as caught:
        client_for(fail).trigger("ann/acme", "w1", {})
    assert type(caught.value) is Unavailable
    assert CANARY not in str(caught.value)


def test_a_wrong_certificate_is_a_refusal_and_no_outage(client_for: Clients) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("tls", request=request) from ssl.SSLCertVerificationError("self-signed")

    with pytest.raises(AccessRefused):
        client_for(fail).me("ann/acme")


class Endless(httpx.SyncByteStream):
    """An answer without an end; `read` counts what was taken of it."""

    read = 0

    def __iter__(self) -> Iterator[bytes]:
        while True:
            self.read += 65_536
            yield b" " * 65_536


def test_an_answer_without_end_is_cut_off(client_for: Clients) -> None:
    stream = Endless()
    with pytest.raises(Unavailable, match="too_long"):
        client_for(lambda _: httpx.Response(200, stream=stream)).me("ann/acme")
    assert stream.read <= ANSWER_LIMIT + 2 * 65_536


def test_an_answer_that_trickles_is_cut_off_at_the_deadline(client_for: Clients) -> None:
    with pytest.raises(Unavailable, match="deadline"):
        client_for(lambda _: httpx.Response(200, stream=Endless()), deadline=0.0).me("ann/acme")


@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b"[" * 100_000, b"\xff\xfe", b"9" * 5000])
def test_an_answer_that_is_no_object_is_an_outage(client_for: Clients, content: bytes) -> None:
    with pytest.raises(Unavailable, match="paragon_answer"):
        client_for(lambda _: httpx.Response(200, content=content)).me("ann/acme")


def test_an_answer_that_is_compressed_unasked_is_not_inflated(client_for: Clients) -> None:
    stream = Endless()
    with pytest.raises(Unavailable, match="encoded"):
        client_for(lambda _: httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=stream)).me("ann/acme")
    assert stream.read == 0


def test_a_trigger_needs_no_body_in_its_answer(client_for: Clients) -> None:
    client_for(lambda _: httpx.Response(202)).trigger("ann/acme", "w1", {"run_id": "r"})


def test_the_proxys_output_is_unwrapped(client_for: Clients) -> None:
    client = client_for(always(200, {"output": {"ok": True, "team_id": "T1"}}))
    assert client.proxy("ann/acme", "slack", "auth.test")["team_id"] == "T1"


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        ("invalid_auth", SlackRefused, "invalid_auth"),
        (CANARY + " !", SlackRefused, ""),
        ("ratelimited", Unavailable, None),
    ],
)
def test_slacks_refusal_with_a_200_is_a_refusal(
    client_for: Clients, error: str, kind: type[Exception], code: str | None
) -> None:
    with pytest.raises(Unavailable) as caught:
        client_for(always(200, {"output": {"ok": False, "error": error}})).proxy("ann/acme", "slack", "auth.test")
    assert type(caught.value) is kind
    assert getattr(caught.value, "code", None) == code

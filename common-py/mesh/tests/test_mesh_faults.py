"""The client's side of a mesh that fails, lies, stalls or says no."""

import gzip
import random
import socket
import ssl
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import httpx
import pytest
from common_mesh import MeshEngine, MeshError, Policy, ProtocolError, Refused, Rejection, Report, Unavailable
from common_mesh.breaker import Breaker
from common_mesh.reference.answering import Caps
from common_mesh.retry import retry_after
from common_mesh.testing import FakeMesh
from common_mesh.testing.plugin import QUICK
from mesh_samples import note, notes

Peer = Callable[[Callable[[socket.socket], None]], str]


def send(mesh: httpx.BaseTransport | str, count: int = 3, policy: Policy = QUICK) -> Report:
    url, transport = (mesh, None) if isinstance(mesh, str) else ("http://mesh", mesh)
    with MeshEngine(url, transport=transport, policy=policy) as engine:
        return engine.create_session("org", "slack", "message").send_all_models(notes(count))


def applied(fake: FakeMesh) -> list[tuple[str, str]]:
    return [(effect.id, effect.version) for effect in fake.effects("org", "slack", "message")]


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504])
def test_a_mesh_that_says_not_now_is_asked_again_with_the_same_key(fake_mesh: FakeMesh, status: int) -> None:
    fake_mesh.fail(status, times=2)
    assert send(fake_mesh).created == 3
    assert len(fake_mesh.seen) == 3
    assert len({seen.key for seen in fake_mesh.seen}) == 1


def test_attempts_are_bounded_and_the_wait_that_was_asked_is_on_the_exception(fake_mesh: FakeMesh) -> None:
    fake_mesh.fail(503, retry_after=0, times=99)
    with pytest.raises(Unavailable) as caught:
        send(fake_mesh)
    assert len(fake_mesh.seen) == QUICK.attempts
    assert caught.value.retry_after == 0


@pytest.mark.parametrize("status", [429, 503])
def test_a_wait_until_a_date_is_handed_to_the_caller_in_seconds(fake_mesh: FakeMesh, status: int) -> None:
    moment = datetime.now(UTC) + timedelta(seconds=90)
    fake_mesh.fail(status, retry_after=format_datetime(moment, usegmt=True))
    with pytest.raises(Unavailable) as caught:
        send(fake_mesh)
    assert caught.value.retry_after == pytest.approx(90, abs=3)


@pytest.mark.parametrize("status", [429, 503])
def test_a_wait_beyond_the_deadline_is_handed_to_the_caller_at_once(fake_mesh: FakeMesh, status: int) -> None:
    fake_mesh.fail(status, retry_after=120)
    started = time.monotonic()
    with pytest.raises(Unavailable) as caught:
        send(fake_mesh)
    assert time.monotonic() - started < 1
    assert caught.value.retry_after == 120
    assert len(fake_mesh.seen) == 1


def test_retry_after_is_waited_for(fake_mesh: FakeMesh) -> None:
    fake_mesh.fail(429, retry_after=1)
    started = time.monotonic()
    assert send(fake_mesh).created == 3
    assert time.monotonic() - started >= 1


def test_retry_after_is_read_in_both_forms_and_a_date_by_the_meshs_own_clock() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    theirs = now + timedelta(days=1)
    date = {"retry-after": format_datetime(theirs + timedelta(seconds=7)), "date": format_datetime(theirs)}
    assert retry_after({"retry-after": "7"}, now) == 7
    assert retry_after(date, now) == 7
    assert retry_after({"retry-after": format_datetime(now + timedelta(seconds=9), usegmt=True)}, now) == 9
    assert retry_after({"retry-after": format_datetime(now - timedelta(seconds=9))}, now) == 0
    assert retry_after({"retry-after": "9" * 400}, now) == 3600


@pytest.mark.parametrize("value", ["", "soon", "-1", "1.5", "٣", "Mon, 99 Foo 2026", "1e9"])
def test_a_retry_after_that_cannot_be_read_is_none(value: str) -> None:
    assert retry_after({"retry-after": value}, datetime.now(UTC)) is None


def test_a_reset_before_accepting_gives_one_effect(fake_mesh: FakeMesh) -> None:
    fake_mesh.reset_before_accepting()
    assert send(fake_mesh).created == 3
    assert len(applied(fake_mesh)) == 3


def test_a_reset_in_the_answer_gives_one_effect_and_the_first_report(fake_mesh: FakeMesh) -> None:
    fake_mesh.reset_after_accepting()
    assert send(fake_mesh).created == 3
    assert sorted(applied(fake_mesh)) == sorted(set(applied(fake_mesh)))
    assert len({seen.key for seen in fake_mesh.seen}) == 1


def test_without_the_key_the_same_retry_would_report_something_else(fake_mesh: FakeMesh) -> None:
    send(fake_mesh)
    assert send(fake_mesh).unchanged == 3


def test_one_bad_record_of_500_costs_only_itself(fake_mesh: FakeMesh) -> None:
    fake_mesh.reject("n000123", "bad_text")
    report = send(fake_mesh, 500)
    assert report.created == 499
    assert report.rejected == [Rejection(123, "n000123", "bad_text")]


def test_413_splits_in_halves_until_it_fits() -> None:
    fake = FakeMesh()
    sizes: list[int] = []

    def small(request: httpx.Request, accept: Callable[[], httpx.Response]) -> httpx.Response:
        sizes.append(fake.seen[-1].records)
        return accept() if sizes[-1] <= 3 else httpx.Response(413)

    fake.fault(small, times=99)
    assert send(fake, 10).created == 10
    assert sizes == [10, 5, 2, 3, 5, 2, 3]
    assert len({seen.key for seen in fake.seen}) == len(sizes)


def test_413_with_limits_is_learned_once_and_for_all() -> None:
    fake = FakeMesh(caps=Caps(records=100))
    with MeshEngine("http://mesh", transport=fake, policy=QUICK) as engine:
        assert engine.create_session("org", "slack", "message").send_all_models(notes(1_000)).created == 1_000
        fake.seen.clear()
        assert engine.create_session("org", "slack", "message").send_all_models(notes(1_000)).unchanged == 1_000
    assert {seen.records for seen in fake.seen} == {100}


def test_one_record_that_is_too_large_is_rejected_and_its_neighbours_arrive() -> None:
    fake = FakeMesh(caps=Caps(bytes=2_000))
    with MeshEngine("http://mesh", transport=fake, policy=QUICK) as engine:
        models = [note(0), note(1, text="x" * 5_000), note(2)]
        report = engine.create_session("org", "slack", "message").send_all_models(models)
    assert report.rejected == [Rejection(1, "n000001", "too_large")]
    assert report.created == 2


def test_415_is_answered_with_gzip_and_it_is_remembered(fake_mesh: FakeMesh) -> None:
    def no_zstd(request: httpx.Request, accept: Callable[[], httpx.Response]) -> httpx.Response:
        if request.headers["content-encoding"] == "zstd":
            return httpx.Response(415, headers={"Accept-Encoding": "gzip"})
        return accept()

    fake_mesh.fault(no_zstd, times=99)
    with MeshEngine("http://mesh", transport=fake_mesh, policy=QUICK) as engine:
        for _ in range(2):
            engine.create_session("org", "slack", "message").send_all_models(notes(2))
    assert [seen.coding for seen in fake_mesh.seen] == ["zstd", "gzip", "gzip"]


def test_a_mesh_that_inflates_nothing_gets_it_in_clear_and_then_refuses(
    fake_mesh: FakeMesh,
) -> None:
    fake_mesh.fail(415, times=2)
    assert send(fake_mesh).created == 3
    assert [seen.coding for seen in fake_mesh.seen] == ["zstd", "gzip", "identity"]
    fake_mesh.fail(415, times=3)
    with pytest.raises(Refused):
        send(fake_mesh)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 422])
def test_a_refusal_is_not_retried_and_names_its_status(fake_mesh: FakeMesh, status: int) -> None:
    fake_mesh.fail(status)
    with pytest.raises(Refused) as caught:
        send(fake_mesh)
    assert caught.value.status == status
    assert len(fake_mesh.seen) == 1


@pytest.mark.parametrize("status", [204, 301, 302, 307, 308, 501])
def test_a_redirect_or_an_unknown_answer_is_no_answer(status: int) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        return httpx.Response(status, headers={"Location": "http://elsewhere/"})

    with pytest.raises(ProtocolError):
        send(httpx.MockTransport(answer))
    assert asked == ["mesh"]


def test_a_token_that_is_rotated_on_the_way_needs_no_new_engine() -> None:
    fake = FakeMesh(token="new")
    tokens = iter(["old", "new", "new"])
    with MeshEngine("http://mesh", lambda: next(tokens), transport=fake, policy=QUICK) as engine:
        assert engine.create_session("org", "slack", "message").send_all_models(notes(1)).created == 1
    assert [seen.authorization for seen in fake.seen] == ["Bearer old", "Bearer new"]


def test_a_source_of_tokens_that_fails_is_an_outage_and_not_a_crash(fake_mesh: FakeMesh) -> None:
    def vault() -> str:
        raise KeyError("canary")

    with MeshEngine("http://mesh", vault, transport=fake_mesh, policy=QUICK) as engine:
        session = engine.create_session("org", "slack", "message")
        with pytest.raises(Unavailable, match="KeyError") as caught:
            session.send_all_models(notes(1))
    assert "canary" not in str(caught.value)
    assert fake_mesh.seen == []


@pytest.mark.parametrize("token", ["secr\u00e8t", "line\nbreak"])
def test_a_token_that_no_header_can_hold_is_refused_and_not_shown(fake_mesh: FakeMesh, token: str) -> None:
    with (
        MeshEngine("http://mesh", token, transport=fake_mesh, policy=QUICK) as engine,
        pytest.raises(Refused) as caught,
    ):
        engine.create_session("org", "slack", "message").send_all_models(notes(1))
    assert token not in str(caught.value)


def test_a_failure_in_the_middle_reports_what_arrived() -> None:
    fake = FakeMesh()
    policy = Policy(max_records=10, in_flight=1, attempts=2, backoff=0.001)

    def third(request: httpx.Request, accept: Callable[[], httpx.Response]) -> httpx.Response:
        return accept() if len(fake.seen) <= 2 else httpx.Response(403)

    fake.fault(third, times=99)
    with pytest.raises(Refused) as caught:
        send(fake, 100, policy)
    assert caught.value.report.created == 20 == len(fake.live("org", "slack", "message"))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[1,2",
        b'"ccc"',
        b"null",
        b'{"outcomes": "cc", "rejected": []}',
        b'{"outcomes": "ccx", "rejected": []}',
        b'{"outcomes": "ccr", "rejected": []}',
        b'{"outcomes": "ccr", "rejected": [[7, null, "bad"]]}',
        b'{"outcomes": "ccc", "rejected": [[0, null, "bad"]]}',
        b'{"outcomes": ["c", "c", "c"], "rejected": []}',
        b'{"outcomes": "ccr", "rejected": [[2, 5, "bad"]]}',
        b"[" * 100_000,
    ],
)
def test_an_answer_that_does_not_account_for_every_record_is_no_answer(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        send(httpx.MockTransport(lambda _: httpx.Response(200, content=body)))


def test_a_compressed_answer_is_not_opened() -> None:
    bomb = gzip.compress(b"\0" * 1_000_000)
    headers = {"Content-Encoding": "gzip"}
    with pytest.raises(ProtocolError, match="compressed"):
        send(httpx.MockTransport(lambda _: httpx.Response(200, headers=headers, content=bomb)))


def test_no_message_carries_content() -> None:
    for status in (403, 503):
        with pytest.raises(MeshError) as caught:
            send(httpx.MockTransport(lambda _, status=status: httpx.Response(status, text="canary")))  # type: ignore[misc]
        assert "canary" not in repr(caught.value)


def answering(head: bytes, body: Callable[[socket.socket], None]) -> Callable[[socket.socket], None]:
    def talk(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(head)
        body(connection)

    return talk


def trickle(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"x")
        time.sleep(0.05)


SHORT = Policy(deadline=0.6, read_timeout=0.4, attempts=5, backoff=0.01)


def timed_failure(url: str) -> float:
    started = time.monotonic()
    with pytest.raises(Unavailable):
        send(url, policy=SHORT)
    return time.monotonic() - started


def test_a_body_of_a_byte_at_a_time_ends_at_the_deadline(peer: Peer) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
    assert timed_failure(peer(answering(head, trickle))) < 1.2


def test_headers_of_a_byte_at_a_time_end_at_the_deadline(peer: Peer) -> None:
    assert timed_failure(peer(answering(b"HTTP/1.1 200 OK\r\nX-Slow: ", trickle))) < 1.2


def test_a_mesh_that_never_answers_ends_at_the_deadline(peer: Peer) -> None:
    assert timed_failure(peer(lambda connection: time.sleep(1.5))) < 1.2


def test_a_mesh_that_reads_nothing_ends_at_the_deadline(peer: Peer) -> None:
    url = peer(lambda connection: time.sleep(1.5))
    noise = [note(n, text="".join(chr(33 + (n * i * i) % 9000) for i in range(20_000))) for n in range(1, 150)]
    started = time.monotonic()
    with MeshEngine(url, policy=SHORT) as engine, pytest.raises(Unavailable):
        engine.create_session("org", "slack", "message").send_all_models(noise)
    assert time.monotonic() - started < 1.4


def test_an_endless_answer_is_cut_at_the_cap_and_the_slot_is_free_again(peer: Peer) -> None:
    def flood(connection: socket.socket) -> None:
        while True:
            connection.sendall(b"x" * 65536)

    url = peer(answering(b"HTTP/1.1 200 OK\r\n\r\n", flood))
    policy = Policy(max_answer_bytes=1_000_000, deadline=10)
    with MeshEngine(url, policy=policy) as engine:
        for _ in range(40):  # more often than there are connections in the pool
            with pytest.raises(ProtocolError, match="more than 1000000 bytes"):
                engine.create_session("org", "slack", "message").send_all_models(notes(1))


def test_a_connection_that_is_reset_in_the_answer_is_tried_again(peer: Peer) -> None:
    calls: list[int] = []

    def talk(connection: socket.socket) -> None:
        connection.recv(65536)
        calls.append(1)
        body = b'{"outcomes":"c","rejected":[]}'
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
        connection.sendall(head + body[:5] if len(calls) == 1 else head + body)

    assert send(peer(talk), 1).created == 1
    assert len(calls) == 2


def test_nobody_listening_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(Unavailable):
        send(f"http://127.0.0.1:{port}")


def test_environment_proxies_are_not_asked(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    body = b'{"outcomes":"c","rejected":[]}'
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
    assert send(peer(answering(head + body, lambda _: None)), 1).created == 1


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    path = tmp_path / "mesh.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=localhost"
    command += " -addext subjectAltName=IP:127.0.0.1"
    subprocess.run([*command.split(), "-keyout", path, "-out", path], check=True, capture_output=True)
    return path


def tls_peer(peer: Peer, certificate: Path, body: bytes) -> str:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body

    def talk(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            secure.recv(65536)
            secure.sendall(answer)

    return peer(talk).replace("http:", "https:")


def test_a_wrong_certificate_is_not_retried_and_not_trusted(peer: Peer, certificate: Path) -> None:
    with pytest.raises(ProtocolError, match="certificate"):
        send(tls_peer(peer, certificate, b""))


def test_a_trusted_certificate_works(peer: Peer, certificate: Path) -> None:
    url = tls_peer(peer, certificate, b'{"outcomes":"c","rejected":[]}')
    context = ssl.create_default_context(cafile=str(certificate))
    with MeshEngine(url, ssl_context=context, policy=QUICK) as engine:
        assert engine.create_session("org", "slack", "message").send_all_models(notes(1)).created == 1


def test_a_mesh_that_stays_down_is_given_a_rest_and_one_probe_brings_it_back(fake_mesh: FakeMesh) -> None:
    policy = Policy(attempts=1, breaker_failures=3, breaker_seconds=0.2, backoff=0.001)
    with MeshEngine("http://mesh", transport=fake_mesh, policy=policy) as engine:
        session = engine.create_session("org", "slack", "message")
        fake_mesh.fail(503, times=3)
        for _ in range(20):
            with pytest.raises(Unavailable) as caught:
                session.send_all_models(notes(1))
        assert len(fake_mesh.seen) == 3
        assert caught.value.retry_after is not None
        time.sleep(0.25)
        assert session.send_all_models(notes(1)).created == 1
        assert session.send_all_models(notes(1)).unchanged == 1


def test_only_one_batch_probes_a_mesh_that_comes_back() -> None:
    asked, release = threading.Semaphore(0), threading.Event()
    seen: list[int] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(1)
        if len(seen) <= 1:
            return httpx.Response(503)
        asked.release()
        release.wait(5)
        return httpx.Response(200, json={"outcomes": "c", "rejected": []})

    policy = Policy(attempts=1, breaker_failures=1, breaker_seconds=0.05)
    with MeshEngine("http://mesh", transport=httpx.MockTransport(answer), policy=policy) as engine:
        with pytest.raises(Unavailable):
            engine.create_session("org", "slack", "message").send_all_models(notes(1))
        time.sleep(0.06)
        probe = threading.Thread(target=lambda: engine.create_session("o", "m", "m").send_all_models(notes(1)))
        probe.start()
        assert asked.acquire(timeout=5)
        with pytest.raises(Unavailable, match="rest"):
            engine.create_session("org", "slack", "message").send_all_models(notes(1))
        release.set()
        probe.join()
    assert len(seen) == 2


def test_a_mesh_that_only_asks_for_less_trips_no_breaker(fake_mesh: FakeMesh) -> None:
    policy = Policy(attempts=1, breaker_failures=1)
    with MeshEngine("http://mesh", transport=fake_mesh, policy=policy) as engine:
        session = engine.create_session("org", "slack", "message")
        fake_mesh.fail(429, retry_after=9)
        with pytest.raises(Unavailable):
            session.send_all_models(notes(1))
        assert session.send_all_models(notes(1)).created == 1


def test_thirty_minutes_down_cost_few_questions_and_end_without_a_stampede() -> None:
    now = [0.0]
    breakers = [Breaker(Policy(), lambda: now[0], random.Random(seed)) for seed in range(10)]
    asked: list[float] = []
    while now[0] < 1_800:
        for breaker in breakers:
            for _ in range(12):  # each process has more batches than it may send
                with suppress(Unavailable):
                    breaker.admit()
                    asked.append(now[0])
                    breaker.failed(None)
        now[0] += 0.5
    # Three to open, then one a pause of 15 to 30 s; without the breaker it would be 12 a turn: 43,200.
    assert len(asked) / len(breakers) < 150
    busiest = max(Counter(int(moment) for moment in asked if moment > 300).values())
    assert busiest < len(breakers) / 2
    breakers[0].succeeded()
    breakers[0].admit()
    breakers[0].admit()

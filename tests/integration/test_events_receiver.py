"""One POST to a real server on loopback: what counts of its answer, and what a bad one costs."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from events_world import NEW
from pydantic import SecretStr

from pipeline.receiver import Answer, Receiver
from tests.cli.tls_front import certificate

Talk = Callable[[socket.socket], None]


@contextmanager
def server(*talks: Talk, context: ssl.SSLContext | None = None) -> Iterator[tuple[str, list[bytes]]]:
    """Takes as many connections, each with its own manners; the address, and the heads of the requests."""
    listening, heads = socket.create_server(("127.0.0.1", 0)), list[bytes]()

    def serve() -> None:
        for talk in talks:
            line, _ = listening.accept()
            with line:
                try:
                    with context.wrap_socket(line, server_side=True) if context else line as spoken:
                        heads.append(spoken.recv(65_536))
                        talk(spoken)
                except OSError:
                    continue  # the other side had enough

    thread = threading.Thread(target=serve)
    thread.start()
    scheme = "https" if context else "http"
    try:
        yield f"{scheme}://localhost:{listening.getsockname()[1]}/events?tenant=1", heads
    finally:
        thread.join(10)
        listening.close()
        assert not thread.is_alive()


def says(answer: str) -> Talk:
    return lambda line: line.sendall(answer.encode())


def drips(answer: str) -> Talk:
    """A byte in a tenth of a second."""

    def talk(line: socket.socket) -> None:
        for byte in answer:
            line.sendall(byte.encode())
            time.sleep(0.1)

    return talk


def floods(line: socket.socket) -> None:
    line.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(10_000):
        line.sendall(b"10000\r\n" + b"x" * 65_536 + b"\r\n")


def tell(url: str, *, deadline: float = 15.0) -> tuple[Answer, float]:
    receiver, begun = Receiver(url, [SecretStr(NEW)], deadline=deadline), time.monotonic()
    try:
        return receiver.tell("0a", "{}"), time.monotonic() - begun
    finally:
        receiver.close()


def test_the_request_is_a_signed_post_to_the_whole_address() -> None:
    with server(says("HTTP/1.1 204 No Content\r\n\r\n")) as (url, heads):
        answer, _ = tell(url)
    assert (answer.status, answer.taken) == (204, True)
    head = heads[0].decode().lower()
    assert head.startswith("post /events?tenant=1 http/1.1\r\n")
    for line in ("content-type: application/json", "user-agent: sluice", "webhook-id: 0a", "webhook-signature: v1,"):
        assert f"\r\n{line}" in head


def test_a_redirect_is_not_followed() -> None:
    with server(says("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")) as (url, _):
        answer, _ = tell(url)
    assert (answer.status, answer.taken, answer.reason) == (302, False, "status_302")


def test_a_server_that_drips_its_answer_is_left_at_the_deadline() -> None:
    with server(drips("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) as (url, _):
        answer, took = tell(url, deadline=0.5)
    assert (answer.status, answer.reason) == (0, "timeout")
    assert 0.4 < took < 2


def test_of_an_answer_only_the_status_counts_however_long_or_slow_the_rest_is() -> None:
    slow = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
    for talk in (floods, lambda line: (line.sendall(slow.encode()), drips("x" * 30)(line))):
        with server(talk) as (url, _):  # type: ignore[arg-type]
            answer, took = tell(url)
        assert answer.taken
        assert took < 3


def test_a_compressed_answer_is_not_inflated() -> None:
    with server(says("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope")) as (url, _):
        assert tell(url)[0].taken


def test_retry_after_is_read_in_both_forms() -> None:
    for said, low, high in (("120", 120, 120), ("Fri, 31 Dec 2038 23:59:59 GMT", 86_400, 86_400), ("soon", None, None)):
        with server(says(f"HTTP/1.1 503 Away\r\nRetry-After: {said}\r\nContent-Length: 0\r\n\r\n")) as (url, _):
            wait = tell(url)[0].retry_after
        assert wait is None if low is None else low <= (wait or 0) <= (high or 0)


def test_nobody_there_and_a_line_that_is_cut_are_the_same_word() -> None:
    with server(lambda line: None) as (url, _):
        assert tell(url)[0] == Answer(0, "unreachable")
    assert tell(url)[0] == Answer(0, "unreachable")


def test_what_is_no_http_is_unreachable() -> None:
    with server(says("SSH-2.0-OpenSSH\r\n")) as (url, _):
        assert tell(url)[0] == Answer(0, "unreachable")


def test_a_certificate_that_nobody_vouches_for_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    public, private = certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(public, private)
    with server(says("HTTP/1.1 204 No Content\r\n\r\n"), context=context) as (url, heads):
        assert tell(url)[0] == Answer(0, "certificate")
    assert heads == []


@pytest.mark.parametrize("status", [400, 409, 413, 415, 422])
def test_what_refuses_one_event_says_nothing_of_the_others(status: int) -> None:
    assert Answer(status, "").of_this_event
    assert not Answer(status, "").taken


@pytest.mark.parametrize("status", [0, 301, 401, 403, 404, 410, 429, 500, 503])
def test_what_would_refuse_any_event_is_of_the_address(status: int) -> None:
    assert not Answer(status, "").of_this_event
    assert Answer(status, "").gone == (status == 410)

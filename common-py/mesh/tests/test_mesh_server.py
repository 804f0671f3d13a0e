"""The reference server over real HTTP: the whole wire, its limits, its crashes, and what is left in its files."""

import gzip
import json
import os
import random
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
import zstandard
from common_mesh import MeshEngine, Refused
from common_mesh.reference.sqlite import SQLiteStore
from common_mesh.reference.store import Filters, Space
from mesh_samples import Note, fence, ndjson, note, notes
from mesh_served import Served

Serve = Callable[..., Served]
BATCHES = "/v1/org/slack/message/batches"


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False, timeout=10) as client:
        yield client


def send(server: Served, *models: object, model: str = "message", org: str = "org") -> None:
    with MeshEngine(server.url) as engine:
        engine.create_session(org, "slack", model).send_all_models(models)  # type: ignore[arg-type]


def test_records_go_in_and_can_be_counted_paged_and_followed(serve: Serve, client: httpx.Client) -> None:
    server = serve("--effects")
    org = "rob@root.com/end10843"
    send(server, *notes(5), org=org)
    send(server, fence(2, match={"team": "T1"}, after=2), model="retraction", org=org)
    base = f"{server.url}/v1/rob%40root.com%2Fend10843/slack"
    assert client.get(f"{base}/message/count").json() == {"count": 3}
    assert client.get(f"{base}/counts").json() == {"counts": {"message": 3, "retraction": 1}}
    page = client.get(f"{base}/message/records", params={"limit": 2}).json()
    assert ([record["id"] for record in page["records"]], page["next"]) == (["n000000", "n000001"], "n000001")
    last = client.get(f"{base}/message/records", params={"limit": 2, "after": page["next"]}).json()
    assert ([record["id"] for record in last["records"]], last["next"]) == (["n000002"], None)
    everything = client.get(f"{base}/message/records", params={"all": "true"}).json()["records"]
    assert [record.get("dead", False) for record in everything] == [False, False, False, True, True]
    effects = client.get(f"{base}/message/effects", params={"after": 5}).json()["effects"]
    assert [(effect["id"], effect["outcome"]) for effect in effects] == [
        ("n000003", "retracted"),
        ("n000004", "retracted"),
    ]
    named = client.get(f"{server.url}/v1").json()["spaces"][0]
    assert named == {"org": org, "module": "slack", "model": "message", "count": 3}


def test_the_page_the_health_and_the_metrics_answer(serve: Serve, client: httpx.Client) -> None:
    server = serve()
    send(server, *notes(3))
    page = client.get(server.url)
    assert "Reference mesh" in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert client.get(f"{server.url}/healthz").text == "ok\n"
    metrics = client.get(f"{server.url}/metrics").text
    assert 'mesh_records_total{outcome="created"} 3' in metrics
    assert re.fullmatch(r'(?:[a-z_]+(?:\{[a-z]+="\w+"\})? \d+\n)+', metrics)
    assert client.get(f"{server.url}/v1/org/slack/message/effects").status_code == 404


def test_a_token_is_wanted_on_every_route_that_holds_records(serve: Serve, client: httpx.Client) -> None:
    server = serve("--token-env", "MESH_TEST_TOKEN", env={"MESH_TEST_TOKEN": "right"})
    paths = ["/v1", "/v1/o/m/counts", *(f"/v1/o/m/x/{leaf}" for leaf in ("count", "records", "effects"))]
    for path in paths:
        assert client.get(server.url + path).status_code == 401
        wrong = client.get(server.url + path, headers={"Authorization": "Bearer wröng".encode()})
        assert wrong.status_code == 401
    assert client.post(server.url + BATCHES, content=b"{}").status_code == 401
    assert client.get(f"{server.url}/healthz").status_code == 200
    with MeshEngine(server.url) as engine, pytest.raises(Refused) as caught:
        engine.create_session("org", "slack", "message").send_all_models(notes(1))
    assert caught.value.status == 401
    with MeshEngine(server.url, "right") as engine:
        assert engine.create_session("org", "slack", "message").send_all_models(notes(1)).created == 1


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/o/m/x/nothing", 404),
        ("GET", "/v1/o", 404),
        ("GET", BATCHES, 405),
        ("POST", "/v1/o/m/x/count", 405),
        ("DELETE", "/v1/o/m/x/records", 405),
        ("GET", "/v1/o/m/x/records?limit=many", 400),
        ("GET", "/v1/o/m/x/records?all=yes", 400),
        ("GET", "/v1/o/m/x/records?ts_after=9999999999999999999", 400),
        ("POST", "/v1//m/x/batches", 404),
        ("GET", "/v1/%FF/%00/x/count", 200),
    ],
)
def test_what_the_wire_does_not_know_is_told_apart(
    shared_server: Served, client: httpx.Client, method: str, path: str, status: int
) -> None:
    assert client.request(method, shared_server.url + path).status_code == status


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    store = tmp_path_factory.mktemp("mesh") / "mesh.db"
    server = Served("--store", f"sqlite:///{store}", "--max-records", "10", "--max-body-bytes", "20000")
    yield server
    server.stop()


def test_limits_hold_before_and_after_inflation_and_are_told(shared_server: Served, client: httpx.Client) -> None:
    url = shared_server.url + BATCHES
    bomb = zstandard.ZstdCompressor().compress(b"\0" * 50_000_000)
    streamed = zstandard.ZstdCompressor().compressobj()
    lying = streamed.compress(b"\0" * 50_000_000) + streamed.flush()
    bodies = [
        (b"x" * 20_001, "identity"),
        (bomb, "zstd"),
        (lying, "zstd"),
        (gzip.compress(b"\0" * 50_000_000), "gzip"),
        (ndjson(*notes(11)), "identity"),
    ]
    for body, coding in bodies:
        answer = client.post(url, content=body, headers={"Content-Encoding": coding})
        assert (answer.status_code, answer.json()["max_records"], answer.json()["max_bytes"]) == (413, 10, 20_000)
    chunked = client.post(url, content=(b"x" * 1_000 for _ in range(30)))
    assert chunked.status_code == 413
    assert client.post(url, content=ndjson(*notes(10))).json()["outcomes"] == "c" * 10


def test_a_body_that_is_not_what_it_says_is_told_apart(shared_server: Served, client: httpx.Client) -> None:
    url = shared_server.url + BATCHES
    whole = zstandard.ZstdCompressor().compress(ndjson(note(1)) * 9)
    for body, coding in ((whole[:-3], "zstd"), (whole + b"x", "zstd"), (b"x", "zstd"), (b"x", "gzip")):
        assert client.post(url, content=body, headers={"Content-Encoding": coding}).status_code == 400
    unknown = client.post(url, content=b"x", headers={"Content-Encoding": "br"})
    assert (unknown.status_code, unknown.headers["accept-encoding"]) == (415, "zstd, gzip, identity")


def test_a_key_with_another_body_is_refused(shared_server: Served, client: httpx.Client) -> None:
    url, headers = shared_server.url + BATCHES, {"Idempotency-Key": "the-key"}
    first = client.post(url, content=ndjson(note(700)), headers=headers)
    packed = {**headers, "Content-Encoding": "gzip"}
    again = client.post(url, content=gzip.compress(ndjson(note(700))), headers=packed)
    assert first.json() == again.json()
    assert client.post(url, content=ndjson(note(701)), headers=headers).status_code == 422
    assert client.post(url, content=b"", headers={"Idempotency-Key": "x" * 129}).status_code == 400


def test_writers_at_once_have_one_effect_each(serve: Serve, client: httpx.Client) -> None:
    server = serve("--effects")
    failures: list[BaseException] = []

    def work() -> None:
        try:
            with MeshEngine(server.url) as engine:
                session = engine.create_session("org", "slack", "message")
                for start in range(0, 400, 20):
                    session.send_all_models(note(number) for number in range(start, start + 20))
        except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    effects = client.get(f"{server.url}/v1/org/slack/message/effects", params={"limit": 1000}).json()["effects"]
    assert failures == []
    assert sorted(effect["id"] for effect in effects) == [f"n{number:06d}" for number in range(400)]


def test_two_processes_may_share_the_file(serve: Serve, client: httpx.Client) -> None:
    first, second = serve("--effects"), serve("--effects")
    send(first, *notes(3))
    send(second, *notes(5))
    assert client.get(f"{first.url}/v1/org/slack/message/count").json() == {"count": 5}


def test_what_was_acknowledged_survives_a_kill(serve: Serve, client: httpx.Client) -> None:
    server = serve("--effects")
    acknowledged: list[int] = []

    def work() -> None:
        number = 0
        with httpx.Client(base_url=server.url, trust_env=False) as sender:
            while True:
                try:
                    answer = sender.post(BATCHES, content=ndjson(note(number)))
                except httpx.TransportError:
                    return
                assert answer.status_code == 200
                acknowledged.append(number)
                number += 1

    thread = threading.Thread(target=work)
    thread.start()
    while len(acknowledged) < 20:
        time.sleep(0.01)
    server.process.kill()
    thread.join()
    again = serve("--effects")
    page = client.get(f"{again.url}/v1/org/slack/message/records", params={"limit": 1000}).json()
    assert {note(number).id for number in acknowledged} <= {record["id"] for record in page["records"]}


@pytest.mark.parametrize("busy", [False, True])
def test_sigterm_stops_it_within_two_seconds(serve: Serve, *, busy: bool) -> None:
    server = serve()
    stalled = httpx.Client(base_url=server.url, trust_env=False, timeout=5)

    def slowly() -> Iterator[bytes]:
        while True:
            yield b" "
            time.sleep(0.05)

    def stall() -> None:
        with suppress(httpx.TransportError):
            assert stalled.post(BATCHES, content=slowly()).status_code == 500

    thread = threading.Thread(target=stall)
    if busy:
        thread.start()
        time.sleep(0.3)
    started = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(5) == 0
    assert time.monotonic() - started < 2
    if busy:
        thread.join()
    stalled.close()


def files_with(folder: Path, canary: bytes) -> list[str]:
    return [path.name for path in sorted(folder.iterdir()) if canary in path.read_bytes()]


def growing(rounds: int) -> Iterator[list[Note]]:
    """Batches whose records come in disorder, grow and shrink: what makes a database move its cells."""
    draw = random.Random(7)
    for epoch in range(1, rounds + 1):
        numbers = draw.sample(range(1_200), 700)
        yield [
            note(n, epoch, channel=f"C{n % 4}", text=f"canary-C{n % 4} " + "x" * draw.randrange(2_500)) for n in numbers
        ]


def test_nothing_of_a_retracted_channel_is_left_in_any_file(serve: Serve, tmp_path: Path) -> None:
    server = serve("--effects")
    for models in growing(8):
        send(server, *models)
    assert files_with(tmp_path, b"canary-C3") != []
    send(server, fence(99, match={"channel": "C3"}), model="retraction")
    assert files_with(tmp_path, b"canary-C3") == []
    assert files_with(tmp_path, b"canary-C2") != []


def test_compaction_gives_space_back_and_loses_nothing(tmp_path: Path) -> None:
    file = tmp_path / "mesh.db"
    space = Space("org", "slack", "message")
    store = SQLiteStore(f"sqlite:///{file}", compact_after=1_000)
    newest: dict[str, str] = {}
    for models in growing(8):
        store.apply(space, ndjson(*models).splitlines(), None)
        newest |= {model.id: model.text for model in models}
    before = file.stat().st_size
    store.upkeep()
    kept = {rid: json.loads(body)["text"] for rid, body in store.records(space, "", 9_999, Filters())}
    store.apply(space._replace(model="retraction"), ndjson(fence(99, match={"channel": "C3"})).splitlines(), None)
    store.close()
    assert file.stat().st_size < before / 2
    assert kept == newest
    assert files_with(tmp_path, b"canary-C3") == []


def test_nothing_of_a_deleted_record_is_left_in_any_file(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    send(server, note(1, text="canary"), *notes(50))
    send(server, note(1, 2, deleted=True))
    assert files_with(tmp_path, b"canary") == []


def test_the_null_mesh_counts_and_drops(serve: Serve, client: httpx.Client) -> None:
    server = serve("--null")
    send(server, *notes(30))
    assert client.get(f"{server.url}/v1/org/slack/message/count").json() == {"count": 30}
    assert client.get(f"{server.url}/v1/org/slack/message/records").json() == {"records": [], "next": None}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ([], "either --store"),
        (["--null", "--store", "sqlite:///x"], "either --store"),
        (["--store", "postgresql://x"], "sqlite:///path"),
        (["--store", "sqlite:///:memory:"], "sqlite:///path"),
        (["--null", "--token-env", "MESH_TEST_UNSET"], "MESH_TEST_UNSET"),
    ],
)
def test_a_wrong_option_ends_the_start_with_a_sentence(
    options: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from common_mesh.server.__main__ import main

    os.environ.pop("MESH_TEST_UNSET", None)
    with pytest.raises(SystemExit) as caught:
        main(options)
    assert caught.value.code == 2
    assert sentence in capsys.readouterr().err


def test_the_answers_hold_no_content(shared_server: Served, client: httpx.Client) -> None:
    body = b'{"id":"x","version":"canary","text":"canary"}\n{"canary'
    answer = client.post(shared_server.url + BATCHES, content=body)
    assert json.loads(answer.content)["outcomes"] == "rr"
    assert b"canary" not in answer.content

"""Reading a mesh back, over the fake and over peers that answer nonsense."""

import json
from typing import Any

import httpx
import pytest
from common_mesh import MeshEngine, MeshReader, ProtocolError, Refused, Unavailable
from common_mesh.testing import FakeMesh
from mesh_samples import fence, notes


def reader(answer: Any, status: int = 200, **headers: str) -> MeshReader:
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return MeshReader(
        "http://mesh", transport=httpx.MockTransport(lambda _: httpx.Response(status, content=body, headers=headers))
    )


def test_what_was_sent_is_read_back_over_several_pages_without_the_dead() -> None:
    fake = FakeMesh(token="t")
    with MeshEngine("http://mesh", "t", transport=fake) as engine:
        engine.create_session("a/b", "slack", "message").send_all_models(notes(250))
        engine.create_session("a/b", "slack", "message").send_all_models(notes(7, channel="C2"))
        engine.create_session("a/b", "slack", "retraction").send_all_models([fence(9, match={"channel": "C2"})])
    with MeshReader("http://mesh", lambda: "t", transport=fake) as read:
        rows = list(read.records("a/b", "slack", "message"))
        assert [row["id"] for row in rows] == sorted(fake.live("a/b", "slack", "message"))
        assert read.count("a/b", "slack", "message") == len(rows)
        assert ("a/b", "slack", "message", len(rows)) in read.spaces()
        assert list(read.records("nobody", "slack", "message")) == []


@pytest.mark.parametrize(
    ("answer", "status", "kind"),
    [
        (b"<html>", 200, ProtocolError),
        ([], 200, ProtocolError),
        ({"records": {}}, 200, ProtocolError),
        ({"records": [], "next": 3}, 200, ProtocolError),
        ({}, 301, ProtocolError),
        ({}, 401, Refused),
        ({}, 404, Refused),
        ({}, 413, Refused),
        ({}, 503, Unavailable),
    ],
)
def test_what_is_no_page_is_an_error_by_kind(answer: Any, status: int, kind: type[Exception]) -> None:
    with reader(answer, status) as read, pytest.raises(kind):
        list(read.records("a", "b", "c"))


def test_pages_that_do_not_move_on_end() -> None:
    with reader({"records": [{"id": "x"}], "next": "x"}) as read, pytest.raises(ProtocolError, match="move on"):
        list(read.records("a", "b", "c"))


def test_a_mesh_that_offers_no_reading_says_so_by_its_status() -> None:
    with reader({}, 405) as read, pytest.raises(Refused) as caught:
        read.count("a", "b", "c")
    assert caught.value.status == 405


@pytest.mark.parametrize("answer", [{"count": "3"}, {"count": True}, {}])
def test_a_count_is_a_number(answer: Any) -> None:
    with reader(answer) as read, pytest.raises(ProtocolError):
        read.count("a", "b", "c")


@pytest.mark.parametrize("answer", [{"spaces": [{"org": "a"}]}, {"spaces": ["a"]}, {}])
def test_a_space_has_a_name(answer: Any) -> None:
    with reader(answer) as read, pytest.raises(ProtocolError):
        read.spaces()

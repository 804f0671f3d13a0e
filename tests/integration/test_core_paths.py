"""Users in paths, over a real uvicorn: whatever a user id holds, it is the same connection on every route."""

from collections.abc import Iterator
from urllib.parse import quote

import httpx
import pytest
from core_api import Core, path_of
from sluice import ORG, Sluice

USERS = [
    "rob@example.com",
    "a+b@example.com",
    "a/b",
    "x/allowlist",
    "x/pulls",
    "a%2Fb",
    "100% sure?&#;",
    "žofie·李",
    "a//b/",
    "*",
]
ROUTES = [
    ("GET", "", 200),
    ("POST", "/token", 200),
    ("PATCH", "/metadata", 202),
    ("GET", "/channels", 200),
    ("GET", "/allowlist", 200),
    ("PUT", "/allowlist", 428),
    ("POST", "/pulls", 409),
    ("GET", "/pulls", 200),
    ("GET", "/coverage", 200),
]


@pytest.fixture
def client(sluice: Sluice) -> Iterator[httpx.Client]:
    with Core(sluice).served() as made:
        yield made


@pytest.mark.parametrize("user", USERS)
def test_every_route_finds_the_user(client: httpx.Client, user: str) -> None:
    connection = f"{user}/{ORG}"
    at = path_of(connection)
    assert client.put(at, json={"team": "T123"}).json()["connection"] == connection
    for method, rest, status in ROUTES:
        body = {"metadata": {"json": {}}, "allowlist": {"json": {"channels": []}}}.get(rest[1:], {})
        answer = client.request(method, at + rest, **(body if method in ("PUT", "PATCH") else {}))
        assert answer.status_code == status, (method, rest, answer.text)
    assert client.delete(at).status_code == 202
    assert client.get(at).status_code == 404


def test_users_that_look_alike_in_a_decoded_path_are_different_connections(client: httpx.Client) -> None:
    for user in ("x", "x/allowlist", "a/b", "a%2Fb"):
        client.put(path_of(f"{user}/{ORG}"), json={"team": "T123"})
    client.put(path_of(f"x/{ORG}") + "/allowlist", json={"channels": ["C1"]}, headers={"If-Match": '"0"'})
    versions = {u: client.get(path_of(f"{u}/{ORG}")).json()["list_version"] for u in ("x", "x/allowlist", "a/b")}
    assert versions == {"x": 1, "x/allowlist": 0, "a/b": 0}
    client.delete(path_of(f"a%2Fb/{ORG}"))
    assert client.get(path_of(f"a/b/{ORG}")).status_code == 200


def test_a_slash_that_was_not_encoded_works_where_it_is_clear(client: httpx.Client) -> None:
    client.put(path_of(f"a/b/{ORG}"), json={"team": "T123"})
    assert client.get(f"/v1/orgs/{ORG}/connections/a/b").json()["connection"] == f"a/b/{ORG}"
    assert client.get(f"/v1/orgs/{ORG}/connections/a/b/allowlist").json()["version"] == 0


@pytest.mark.parametrize("user", ["", "%00", "%0A", "%20", "x%1b[31m", quote("x" * 600)])
def test_a_user_that_cannot_be_one_is_refused(client: httpx.Client, user: str) -> None:
    answer = client.put(f"/v1/orgs/{ORG}/connections/{user}", json={})
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


def test_a_path_that_is_no_text_is_not_found(client: httpx.Client) -> None:
    assert client.get(f"/v1/orgs/{ORG}/connections/%ff%fe").status_code == 404
    assert client.get("/v1/orgs/%ff/connections/x").status_code == 404

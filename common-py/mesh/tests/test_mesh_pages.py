"""The pages to look around: who may, what they show, and that nothing in a record is more than text there."""

import asyncio
import json
import re
from collections.abc import Awaitable
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest
from common_mesh.reference.memory import MemoryStore
from common_mesh.reference.store import Busy, Space, Store
from common_mesh.server.app import MeshServer
from common_mesh.server.login import COOKIE, SECONDS, Login, onward
from common_mesh.server.markup import Html, tag
from mesh_samples import Note, fence, ndjson, note, notes

MESSAGES = Space("rob@root.com/end1", "slack", "message")
PAGE = "/look/rob%40root.com%2Fend1/slack/message"
CANARY = "<script>alert(1)</script><img src=//evil.example/x onerror=alert(2)>\" onfocus='x' </pre></style>"


class Browser:
    """Asks the application without a network, follows nothing, keeps cookies."""

    def __init__(self, store: Store, token: str | None = None) -> None:
        transport = httpx.ASGITransport(MeshServer(store, token=token).asgi)
        self._client = httpx.AsyncClient(transport=transport, base_url="http://mesh")

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self._now(self._client.get(path, **more))

    def post(self, path: str, **more: Any) -> httpx.Response:
        return self._now(self._client.post(path, **more))

    def _now(self, answer: Awaitable[httpx.Response]) -> httpx.Response:
        async def wait() -> httpx.Response:
            return await answer

        return asyncio.run(wait())


@pytest.fixture
def store() -> Store:
    return MemoryStore()


@pytest.fixture
def client(store: Store) -> Browser:
    return Browser(store)


@pytest.fixture
def closed(store: Store) -> Browser:
    """With a token."""
    return Browser(store, "right")


def put(store: Store, *models: Note | object, space: Space = MESSAGES) -> None:
    store.apply(space, ndjson(*models).splitlines(), None)  # type: ignore[arg-type]


class Seen(HTMLParser):
    """Tags, addresses and text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.handlers: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "action")]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]


def test_the_overview_names_organisations_and_counts_and_finds_one(client: Browser, store: Store) -> None:
    assert "Nothing has arrived yet" in client.get("/").text
    put(store, *notes(1_200))
    put(store, note(1), space=Space("other", "slack", "user"))
    page = client.get("/").text
    assert PAGE in Seen(page).links
    assert "1,201" in page
    found = client.get("/", params={"org": "OTH"}).text
    assert "other" in found
    assert "rob@root.com" not in found
    assert "No organisation has this in its name" in client.get("/", params={"org": "nobody"}).text


def test_records_are_paged_until_all_were_shown_once(client: Browser, store: Store) -> None:
    put(store, *notes(120))
    address, shown = PAGE, []
    while address:
        page = client.get(address).text
        shown += re.findall(r'class="code">(n\d+)<', page)
        after = [link for link in Seen(page).links if "after=" in link]
        address = after[0] if "Next page" in page else ""
    assert shown == [f"n{number:06d}" for number in range(120)]


def test_the_filter_takes_prefix_time_version_and_the_dead(client: Browser, store: Store) -> None:
    put(store, *(Note(id=f"{n % 2}:{n}", version=f"{n:032d}", ts_us=n * 1_000_000, text=f"t{n}") for n in range(1, 9)))
    put(store, Note(id="1:1", version=f"{99:032d}", deleted=True))

    def ids(**asked: str) -> list[str]:
        return re.findall(r'class="code">(\d:\d)<', client.get(PAGE, params=asked).text)

    assert ids(prefix="0:") == ["0:2", "0:4", "0:6", "0:8"]
    assert ids(since="1970-01-01T00:00:03", until="1970-01-01T00:00:05") == ["0:4", "1:3", "1:5"]
    assert len(ids(until="1970-01-01T00:00")) == 7  # a minute means all of it
    assert ids(version=f"{6:032d}") == ["0:8", "1:7"]
    assert "1:1" in ids(all="true")
    assert "1:1" not in ids()
    assert "No record is like this" in client.get(PAGE, params={"prefix": "x"}).text


@pytest.mark.parametrize("asked", ["since=soon", "until=0001-13-01T00:00"])
def test_a_filter_that_cannot_be_read_says_which(client: Browser, asked: str) -> None:
    answer = client.get(f"{PAGE}?{asked}")
    assert answer.status_code == 400
    assert "is no date and time" in answer.text


def test_retractions_say_what_they_kill_and_states_are_counted(client: Browser, store: Store) -> None:
    put(store, *notes(4), note(9, channel="C2"), note(8, 1, deleted=True))
    put(
        store,
        fence(5, match={"channel": "C2"}, until=1_700_000_000_000_000),
        space=MESSAGES._replace(model="retraction"),
    )
    page = client.get(PAGE.replace("message", "retraction")).text
    assert "channel is C2" in page
    assert "until 2023-11-14 22:13:20" in page
    numbers = re.findall(r"<b>(\d+)</b>([a-z ]+)<", client.get(PAGE).text)
    assert numbers == [("4", "live"), ("1", "deleted"), ("1", "dead by a retraction")]
    effects = client.get(f"{PAGE}/effects").text
    assert effects.count("mark created") == 6
    assert effects.count("mark retracted") == 1


def test_an_effects_log_that_is_off_says_how_to_have_one() -> None:
    assert "--effects" in Browser(MemoryStore(log=False)).get(f"{PAGE}/effects").text


def test_content_is_text_and_nothing_else(client: Browser, store: Store) -> None:
    org = Space(CANARY, CANARY, CANARY)
    lines = [json.dumps({"id": CANARY, "version": "1" * 32, "text": CANARY, CANARY: [CANARY, "\ud800"]}).encode()]
    store.apply(org, lines, None)
    put(store, fence(5, match={"channel": CANARY}, reason=CANARY), space=org._replace(model="retraction"))
    overview = client.get("/")
    pages = [overview, client.get("/", params={"org": CANARY})]
    pages += [client.get(link) for link in Seen(overview.text).links if link.startswith("/look/")]
    pages += [client.get(link, params={"prefix": CANARY, "after": "!"}) for link in Seen(pages[2].text).links[-1:]]
    pages.append(Browser(store, "right").get("/login", params={"onward": f"/look/{CANARY}"}))
    for page in pages:
        seen = Seen(page.text)
        assert not {"script", "img"} & set(seen.tags)
        assert seen.handlers == []
        assert not [link for link in seen.links if not link.startswith(("/", "#")) or link.startswith("//")]
        policy = page.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert "script-src" not in policy
        assert page.headers["cache-control"] == "no-store"
    assert sum("alert(1)" in page.text for page in pages) >= 4


def test_a_record_too_deep_to_be_written_closes_the_page_to_nobody(client: Browser, store: Store) -> None:
    for depth in range(200, 1_000, 50):
        deep = b"[" * depth + b"]" * depth
        store.apply(MESSAGES, [b'{"id":"d%d","version":"%s","x":%s}' % (depth, b"1" * 32, deep)], None)
    put(store, note(7, text="still here"))
    page = client.get(PAGE)
    assert page.status_code == 200
    assert "still here" in page.text


def test_a_store_that_cannot_be_read_is_a_page_that_offers_to_try_again(store: Store) -> None:
    class Away(MemoryStore):
        def records(self, *_: object) -> list[tuple[str, str]]:
            raise Busy

    answer = Browser(Away()).get(f"{PAGE}?prefix=x")
    assert answer.status_code == 503
    assert f"{PAGE}?prefix=x" in Seen(answer.text).links


@pytest.mark.parametrize("path", ["/", PAGE, f"{PAGE}/effects", "/look/nowhere"])
def test_with_a_token_every_page_asks_for_it_first(closed: Browser, store: Store, path: str) -> None:
    put(store, note(1, text="canary"))
    answer = closed.get(path)
    assert (answer.status_code, answer.headers["location"].split("?")[0]) == (303, "/login")
    assert "canary" not in answer.text
    assert closed.get(path, headers={"Cookie": f"{COOKIE}=9999999999.forged"}).status_code == 303


def test_signing_in_leads_where_one_was_going_and_out_again(closed: Browser, store: Store) -> None:
    put(store, note(1, text="canary"))
    going = closed.get(f"{PAGE}?prefix=n").headers["location"]
    assert "Token" in closed.get(going).text
    wrong = closed.post("/login", data={"token": "wrong", "onward": f"{PAGE}?prefix=n"})
    assert (wrong.status_code, "not this mesh&#x27;s token" in wrong.text) == (401, True)
    assert "set-cookie" not in wrong.headers
    right = closed.post("/login", data={"token": "right", "onward": f"{PAGE}?prefix=n"})
    kept = right.headers["set-cookie"]
    assert "HttpOnly" in kept
    assert "SameSite=strict" in kept
    assert "right" not in kept
    assert "canary" in closed.get(right.headers["location"]).text
    assert closed.get("/v1").status_code == 401  # the cookie opens pages, and no route that a form elsewhere could use
    closed.post("/logout")
    assert closed.get(PAGE).status_code == 303


def test_without_a_token_nobody_is_asked_for_one(client: Browser) -> None:
    assert client.get("/login").headers["location"] == "/"
    assert client.post("/login", data={"token": "any"}).status_code == 401
    assert "Sign out" not in client.get("/").text


def test_a_cookie_ends_with_its_time_and_with_its_token() -> None:
    now = [1_000.0]
    kept = {COOKIE: Login("one", lambda: now[0]).cookie()}
    assert Login("one", lambda: now[0]).admits(kept)
    assert not Login("two", lambda: now[0]).admits(kept)
    until, _, proof = kept[COOKIE].partition(".")
    assert not Login("one", lambda: now[0]).admits({COOKIE: f"{int(until) + 1}.{proof}"})
    now[0] += SECONDS
    assert not Login("one", lambda: now[0]).admits(kept)


@pytest.mark.parametrize(
    "asked", ["//evil.example", "https://evil.example", "/\\evil", "/look/\\x", "/look/a\r\nb", "", "x"]
)
def test_signing_in_leads_nowhere_else(asked: str) -> None:
    assert onward(asked) == "/"


def test_a_form_of_any_size_is_only_a_wrong_token(closed: Browser) -> None:
    assert closed.post("/login", content=b"token=" + b"x" * 1_000_000).status_code == 401


def test_tags_escape_all_that_is_not_made_of_tags() -> None:
    assert tag("p", "a<b", tag("b", '"'), None, 7, class_='x"y', hidden=True, id=None) == (
        '<p class="x&quot;y" hidden>a&lt;b<b>&quot;</b>7</p>'
    )
    assert isinstance(tag("p"), Html)

"""The description of the API: whole, honest about its problems, and a page that loads nothing from elsewhere."""

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from core_api import Core
from jsonschema import validate
from sluice import Sluice

from pipeline.events import EVENTS, body


@pytest.fixture
def core(sluice: Sluice) -> Core:
    return Core(sluice)


def operations(core: Core) -> list[tuple[str, dict[str, Any]]]:
    paths = core.app.openapi()["paths"]
    return [(f"{method} {path}", one) for path, methods in paths.items() for method, one in methods.items()]


def test_every_route_is_described_with_every_parameter(core: Core) -> None:
    assert len(operations(core)) == 37
    for name, one in operations(core):
        assert one.get("description"), name
        assert one["tags"], name
        for parameter in one.get("parameters", []):
            assert parameter.get("description"), (name, parameter["name"])


def test_every_failure_that_is_described_is_a_problem(core: Core) -> None:
    for name, one in operations(core):
        for status, answer in one["responses"].items():
            if status >= "400" and (name, status) != ("get /readyz", "503"):
                assert list(answer["content"]) == ["application/problem+json"], (name, status)
    assert "HTTPValidationError" not in core.app.openapi()["components"]["schemas"]


def test_every_core_route_wants_a_token_and_says_what_happens_without(core: Core) -> None:
    for name, one in operations(core):
        if "/v1/" in name:
            assert one["security"], name
            assert "401" in one["responses"], name
        else:
            assert "security" not in one, name


def test_every_body_has_an_example(core: Core) -> None:
    schemas = core.app.openapi()["components"]["schemas"]
    for name, one in operations(core):
        for content in one.get("requestBody", {}).get("content", {}).values():
            assert "example" in str(content) or any(
                "examples" in str(schemas[found]) for found in re.findall(r"schemas/(\w+)", str(content))
            ), name


def test_every_link_within_the_description_leads_somewhere(core: Core) -> None:
    schema = core.app.openapi()
    for name in re.findall(r"#/components/schemas/(\w+)", str(schema)):
        assert name in schema["components"]["schemas"]


def test_every_event_is_described_by_an_example_that_is_one(core: Core) -> None:
    schema = core.app.openapi()
    assert list(schema["webhooks"]) == list(EVENTS)
    for kind, one in schema["webhooks"].items():
        content = one["post"]["requestBody"]["content"]["application/json"]
        example, described = content["example"], schema["components"]["schemas"][content["schema"]["$ref"][21:]]
        assert body(EVENTS[kind].model_validate(example["data"])) == json.dumps(example, separators=(",", ":"))
        validate(example, described)
        for name, field in described["properties"]["data"]["properties"].items():
            assert field.get("description") or "examples" in str(field), (kind, name)
            assert name in described["properties"]["data"]["required"], (kind, name)


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.loads: list[str] = []
        self.ids: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.loads += [value or "" for name, value in attrs if name in ("src", "href", "data", "srcset", "action")]
        self.ids |= {value or "" for name, value in attrs if name == "id"}


def test_the_page_shows_every_route_and_loads_nothing(core: Core) -> None:
    answer = core.call("GET", "/docs", None)
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    found = Links()
    found.feed(answer.text)
    assert not found.tags & {"script", "link", "img", "iframe", "form", "object"}
    assert {one for one in found.loads if not one.startswith("#")} == {"/openapi.json"}
    assert {one[1:] for one in found.loads if one.startswith("#")} <= found.ids
    assert "url(" not in answer.text
    assert "@import" not in answer.text
    assert 'name="viewport"' in answer.text
    assert "`" not in answer.text.partition("<h2>schemas</h2>")[0], "what is code in a sentence is shown as code"
    plain = answer.text.replace("<wbr>", "")
    for name, _ in operations(core):
        assert name.partition(" ")[2] in plain
    for kind in EVENTS:
        assert f"<code>{kind}</code>" in plain

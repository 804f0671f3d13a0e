import json

import pytest
from fastapi import FastAPI

from api.webhook_docs import add_webhooks, webhook_paths
from api.webhooks import PATHS
from pipeline.envelope import Kind, read_envelope
from pipeline.envelope_fields import READERS
from pipeline.payload import LISTS

KINDS: list[Kind] = ["messages", "channels", "users"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_shows_every_field_that_is_read_and_no_other(kind: Kind) -> None:
    operation = webhook_paths()[PATHS[kind]]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    assert set(schema["properties"]) == {*READERS[kind], LISTS[kind]}
    assert {parameter["name"] for parameter in operation["parameters"]} == set(READERS[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_the_examples_are_callbacks(kind: Kind) -> None:
    examples = webhook_paths()[PATHS[kind]]["post"]["requestBody"]["content"]["application/json"]["examples"]
    whole = examples["page"]["value"]
    read = read_envelope(kind, json.dumps(whole).encode(), {})
    said = {name: value for name, value in whole.items() if name not in (LISTS[kind], "has_more")}
    query = {name: value if isinstance(value, str) else json.dumps(value) for name, value in said.items()}
    as_it_came = read_envelope(kind, json.dumps(examples["response"]["value"]).encode(), query)
    assert read == as_it_came
    assert (read.count, read.extra, read.has_more) == (1, 0, False)


def test_the_page_is_added_to_an_applications_own() -> None:
    schema = add_webhooks(FastAPI().openapi())
    assert set(PATHS.values()) <= set(schema["paths"])
    assert set(schema["components"]["securitySchemes"]) == {"runToken", "webhookSecret"}
    json.dumps(schema)

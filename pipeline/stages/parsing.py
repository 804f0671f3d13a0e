"""parse: from bytes to an envelope and raw records; for effects, to the records that the API prepared."""

import json

from pydantic import ValidationError

from pipeline.batch import Batch, Mapped, Work
from pipeline.envelope import Kind, read_envelope, read_records, unpack
from pipeline.errors import Rejected
from pipeline.models import MODELS
from pipeline.store import effects


def parse_payloads(batch: Batch) -> Batch:
    """The batch with raw records. What cannot be read dies whole, under its own seal."""
    for work in batch.live():
        try:
            _parse(work)
        except Rejected as error:
            work.die(error.reason)
        work.plain = b""
    return batch


def _parse(work: Work) -> None:
    match work.header.kind:
        case "effect":
            work.mapped = [_prepared(model, bytes(record)) for model, record in effects.read(work.plain).records]
        case "messages" | "channels" | "users" as kind:
            _callback(work, kind)
        case _:
            raise Rejected("unknown_kind")


def _prepared(model: str, record: bytes) -> Mapped:
    """A record as the API prepared it. One that this version does not know is a death with a name, and no content."""
    try:
        return Mapped(MODELS[model].model_validate_json(record), json.loads(record))
    except (KeyError, ValidationError):
        raise Rejected("unknown_record") from None


def _callback(work: Work, kind: Kind) -> None:
    body, query = unpack(work.plain)
    work.envelope = read_envelope(kind, body, query)
    if not work.envelope.gap:
        work.raw = read_records(body, kind)

"""parse: from bytes to an envelope and raw records; for effects, to the records that the API prepared."""

import json

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
            for model, record in effects.read(work.plain).records:
                work.mapped.append(Mapped(MODELS[model].model_validate_json(bytes(record)), json.loads(bytes(record))))
            work.admitted = True
        case "messages" | "channels" | "users" as kind:
            _callback(work, kind)
        case _:
            raise Rejected("unknown_kind")


def _callback(work: Work, kind: Kind) -> None:
    body, query = unpack(work.plain)
    work.envelope = read_envelope(kind, body, query)
    if not work.envelope.gap:
        work.raw = read_records(body, kind)

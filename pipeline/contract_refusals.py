"""Why a callback would be refused, in the order in which the webhook looks. Pure."""

from collections.abc import Mapping
from typing import Final, Literal

from msgspec import Struct

from pipeline.contract_fields import at_fault
from pipeline.envelope import Envelope, EnvelopeError, Kind

Signed = Literal["unseen", "missing", "stranger", "secret", "run"]
"""How the callback is signed: not looked at, not at all, by nobody we know, by the shared secret, by a run token."""


class Signature(Struct, frozen=True, kw_only=True):
    """Who sent it; `connection`, `run` and `attempt` are what a run token says."""

    by: Signed = "unseen"
    connection: str | None = None
    run: str | None = None
    attempt: int | None = None


class Terms(Struct, frozen=True, kw_only=True):
    """What else decides: `registered` None was not looked up; `limit` in bytes; `media_type` as its header says."""

    outside_runs: bool = False
    registered: bool | None = None
    limit: int = 8 * 1024 * 1024
    media_type: str = "application/json"


Refusal = tuple[int, str, str]
"""Status, field, sentence."""

WANTED: Final[Mapping[Kind, str]] = {
    "messages": "A page of messages wants `Authorization: Bearer <run_token of the trigger>`.",
    "channels": "A page of channels wants `Authorization: Bearer <the project's webhook secret>`.",
    "users": "A page of users wants `Authorization: Bearer <the project's webhook secret>`.",
}
_SIGNED: Final[Mapping[Signed, str]] = {
    "missing": "It is unsigned.",
    "stranger": "Its bearer is none that this Sluice gave out or knows.",
    "secret": "It carries the project's webhook secret, which is one for all customers and proves no run.",
    "run": "It carries a run token, which is for pages of messages.",
}


def _too_large(body: bytes, terms: Terms) -> Refusal | None:
    return (413, "body", f"The body has more than {terms.limit} bytes.") if len(body) > terms.limit else None


def _unsigned(kind: Kind, signature: Signature, terms: Terms) -> Refusal | None:
    right: set[Signed] = {"run"} if kind == "messages" else {"secret"}
    if kind == "messages" and terms.outside_runs:
        right.add("secret")
    if signature.by in right or signature.by == "unseen":
        return None
    return 401, "Authorization", f"{_SIGNED[signature.by]} {WANTED[kind]}"


def _no_json(terms: Terms) -> Refusal | None:
    media_type = terms.media_type.partition(";")[0].strip().lower()
    if media_type == "application/json" or (media_type.startswith("application/") and media_type.endswith("+json")):
        return None
    return 415, "Content-Type", "Only `Content-Type: application/json` is read."


def _another(signature: Signature, envelope: Envelope) -> Refusal | None:
    """What the envelope says otherwise than its run token."""
    if signature.by != "run":
        return None
    pairs = {
        "connection": (envelope.connection, signature.connection),
        "run_id": (envelope.run_id, signature.run),
        "attempt": (envelope.attempt, signature.attempt),
    }
    field = next((name for name, (said, known) in pairs.items() if said is not None and said != known), None)
    return (
        None if field is None else (401, field, f"`{field}` is another than its run token's: leave it out, or echo it.")
    )


def _nobody(kind: Kind, signature: Signature, envelope: Envelope) -> Refusal | None:
    if kind != "messages" or signature.by != "secret" or envelope.connection is not None:
        return None
    return 422, "connection", "`connection` is missing, and outside a run nothing else tells it."


def _stranger(terms: Terms) -> Refusal | None:
    if terms.registered is not False:
        return None
    return 403, "connection", "The connection is not registered: register it before the user connects Slack."


def refusals(
    kind: Kind, body: bytes, signature: Signature, terms: Terms, read: Envelope | EnvelopeError
) -> list[Refusal]:
    """Every reason to refuse it; the webhook answers with the first. `read` is the envelope, or why there is none."""
    found = [_too_large(body, terms), _unsigned(kind, signature, terms), _no_json(terms)]
    if isinstance(read, EnvelopeError):
        found.append((read.status, read.location, at_fault(read.location, read.kind)))
    else:
        found += [_another(signature, read), _nobody(kind, signature, read), _stranger(terms)]
    return [one for one in found if one is not None]

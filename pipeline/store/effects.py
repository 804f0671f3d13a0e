"""Effects: what a core route causes in the mesh, kept by the same script that changes the state."""

from collections.abc import Iterable

import msgspec

from pipeline.connection import split_connection
from pipeline.models import Internal
from pipeline.store import receipts
from pipeline.store.entries import SCHEMA, Header, new_receipt, seal_entry
from pipeline.store.keys import Keys, effects_of
from pipeline.store.scripts import Changes, now
from pipeline.store.vault import Vault


class Effect(msgspec.Struct, frozen=True):
    """Records as they are to be delivered: model name and the record's own JSON."""

    records: list[tuple[str, msgspec.Raw]]


def append(
    changes: Changes,
    keys: Keys,
    vault: Vault,
    *,
    connection: str,
    generation: int,
    epoch: int,
    records: Iterable[Internal],
) -> str:
    """Add a sealed effect to an atomic change; its receipt. `epoch` is store time, so it dates the entry too."""
    receipt = new_receipt(keys.shard)
    header = Header(receipt, "effect", connection, generation, None, None, epoch, epoch, SCHEMA, vault.key_id)
    effect = Effect([(record.model, msgspec.Raw(record.model_dump_json().encode())) for record in records])
    stored, sealed = seal_entry(vault, header, msgspec.json.encode(effect))
    member = effects_of(split_connection(connection)[1])
    changes.do("XADD", keys.stream(member), "*", "h", stored, "p", sealed)
    changes.do("ZADD", keys.ready_effects, "NX", now(), member)
    receipts.record(changes, keys, receipt, "waiting", kind="effect", connection=connection, at=epoch)
    return receipt


def read(plain: bytes) -> Effect:
    """The effect of an opened entry."""
    return msgspec.json.decode(plain, type=Effect)

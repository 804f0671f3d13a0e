"""The stages of the flow, one file each; none knows another. `pipeline.flow` says in which order they run."""

from pipeline.stages.admitting import admit_records
from pipeline.stages.delivering import deliver_records
from pipeline.stages.mapping import map_records
from pipeline.stages.opening import open_entries
from pipeline.stages.parsing import parse_payloads
from pipeline.stages.settling import settle_entries

__all__ = ["admit_records", "deliver_records", "map_records", "open_entries", "parse_payloads", "settle_entries"]

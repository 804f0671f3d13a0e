"""`python -m bench.mesh.floor FOLDER BATCHES`: the same rows into SQLite by hand, which is the least it can cost.

One table, one upsert, a transaction a batch, and the pragmas of the reference mesh: acknowledged is on disk. No HTTP,
no parsing, no fences, no index but the key's. Prints the seconds and the processor's seconds, as JSON.
"""

import json
import sqlite3
import sys
import time
from pathlib import Path

from common_mesh.reference.schema import PRAGMAS

from bench.mesh.sample import BATCH, message

_UPSERT = """INSERT INTO records VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE
    SET version = excluded.version, body = excluded.body WHERE excluded.version > version"""


def main() -> None:
    """Make the rows first, then time their way to the disk."""
    folder, batches = Path(sys.argv[1]), int(sys.argv[2])
    models = [message(number) for number in range(BATCH * batches)]
    rows = [(model.id, model.version, model.model_dump_json()) for model in models]
    connection = sqlite3.connect(folder / "floor.db", isolation_level=None)
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("CREATE TABLE records (id TEXT PRIMARY KEY, version TEXT, body TEXT)")
    wall, processor = time.perf_counter(), time.process_time()
    for start in range(0, len(rows), BATCH):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(_UPSERT, rows[start : start + BATCH])
        connection.execute("COMMIT")
    took = {"seconds": time.perf_counter() - wall, "processor": time.process_time() - processor}
    connection.close()
    sys.stdout.write(json.dumps(took))


if __name__ == "__main__":
    main()

"""What a worker lets itself be told over the broker: questions, and to send events. Loaded by workers alone.

The broker may be lost and may be hostile (faults.md, 38): whoever writes to it could else stop workers, revoke tasks,
or have them consume other queues. Flower needs the questions and the events; its buttons that command do nothing.
"""

from celery.worker.control import Panel

ALLOWED = frozenset(
    {
        *("ping", "hello", "clock", "stats", "report", "conf", "registered", "active_queues", "query_task"),
        *("active", "dump_active", "reserved", "dump_reserved", "scheduled", "dump_schedule", "revoked"),
        *("dump_revoked", "dump_tasks", "enable_events", "heartbeat"),
    }
)

for _name in set(Panel.data) - ALLOWED:
    del Panel.data[_name]

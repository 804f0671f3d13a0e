"""The Celery application: workers, beat and Flower are started with `-A workers.app`."""

import logging

from celery import Celery
from celery.signals import beat_init, celeryd_after_setup, setup_logging
from common_core import log_manager

from settings import Settings
from workers import trust
from workers.beat import TICKS
from workers.names import sending

settings = Settings.load("worker")

app = Celery("sluice", include=["workers.tasks", "workers.control"], task_cls="workers.strategy:StrictTask")
app.conf.update(sending(settings.broker_url))
app.conf.update(
    # A message carries a shard or an id and may be lost: the store holds the work, the sweep finds it.
    task_acks_late=False,
    worker_prefetch_multiplier=1,
    # A drain works for seconds, but its last batch may meet a slow mesh; its lease is renewed all the while.
    task_soft_time_limit=300,
    task_time_limit=330,
    worker_soft_shutdown_timeout=8.0,
    worker_enable_soft_shutdown_on_idle=True,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    worker_send_task_events=True,
    task_send_sent_event=True,
    task_track_started=True,
    worker_hijack_root_logger=False,
    beat_schedule=TICKS,
    beat_scheduler="workers.beat:SlotScheduler",
    enable_utc=True,
    timezone="UTC",
)


@setup_logging.connect
def _log(**_: object) -> None:
    """Our own logging: JSON lines with ids, never content."""
    log_manager.setup(level=settings.log_level, fmt=settings.log_format)
    # Two lines for each tick of each second tell nobody anything; Flower shows the tasks.
    logging.getLogger("celery").setLevel(max(logging.WARNING, logging.getLogger().level))


@celeryd_after_setup.connect
@beat_init.connect
def _see_whom_we_trust(**_: object) -> None:
    trust.look(app)

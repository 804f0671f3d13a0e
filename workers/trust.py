"""Says at the start of a worker, and of beat, that the broker's certificate is not trusted: Celery names no reason.

Nothing ends by it. The broker may be away, the sweep drains meanwhile, and the connection is tried again all the time.
"""

import logging
from typing import Final

from celery import Celery
from kombu.exceptions import KombuError, OperationalError
from redis import RedisError

from pipeline.certificates import distrusted

SAYS: Final = (
    "The broker's certificate is not trusted, or made out to another name: name its CA at the end of "
    "SLUICE_BROKER_URL (?ssl_ca_certs=/path/to/ca.pem), and call the host as the certificate does."
)
_SECONDS: Final = 3
_log = logging.getLogger(__name__)


def look(app: Celery) -> bool:
    """Whether the broker's certificate is trusted, as far as that can be seen now; logs a sentence if it is not."""
    if not app.conf.broker_use_ssl:
        return True
    try:
        with app.connection_for_write(connect_timeout=_SECONDS) as connection:
            connection.ensure_connection(max_retries=1, timeout=_SECONDS)
            connection.default_channel  # noqa: B018 - opens one: Redis is reached no sooner
    except (OperationalError, KombuError, RedisError, OSError) as error:
        if distrusted(error):
            _log.error("broker.not_trusted", extra={"says": SAYS})
            return False
    return True

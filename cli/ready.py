"""How one sees that a process is ready to be used."""

import http.client
from urllib.parse import urlsplit

import redis


def answers_http(url: str, path: str = "/healthz") -> bool:
    """Whether an HTTP server there answers, with any status but 5xx: a 401 or a 404 is a server, too."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def listens(broker_url: str, worker: str) -> bool:
    """Whether a Celery worker (`worker-1@sluice`) has bound its control queue at a Redis broker, the last step of its
    start but one; its children are forked by then. After a crash the binding of the one before still stands.
    """
    try:
        with redis.Redis.from_url(broker_url, socket_timeout=2, decode_responses=True) as client:
            return any(worker in str(bound) for bound in client.smembers("_kombu.binding.celery.pidbox"))
    except redis.RedisError:
        return False

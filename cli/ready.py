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


def consumers(broker_url: str) -> int:
    """How many Celery workers wait for tasks at a Redis broker: a worker that consumes blocks in BRPOP."""
    try:
        with redis.Redis.from_url(broker_url, socket_timeout=2, decode_responses=True) as client:
            return sum(row.get("cmd") == "brpop" for row in client.client_list())
    except redis.RedisError:
        return 0

"""The engine: connections and threads, made once per process, after any fork."""

import os
import ssl
import threading
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from types import TracebackType
from typing import Self

import httpx

from common_mesh import tokens
from common_mesh.policy import Policy
from common_mesh.sender import Sender
from common_mesh.session import MeshSession, Shared
from common_mesh.transport import DeadlineTransport


class MeshEngine:
    """Thread-safe; close it, or use it in a `with`.

    `token` is a bearer token, or a callable that gives the current one: it is asked at each attempt, so a rotated
    token needs no new engine. `transport` replaces the network (see `common_mesh.testing`). `ssl_context` replaces
    the default trust. No environment variable is read: no proxies, no netrc.
    """

    def __init__(
        self,
        base_url: str,
        token: str | Callable[[], str | None] | None = None,
        *,
        transport: httpx.BaseTransport | None = None,
        ssl_context: ssl.SSLContext | None = None,
        policy: Policy | None = None,
    ) -> None:
        self._policy = policy or Policy()
        self._pid = os.getpid()
        self._closed = False
        self._lock = threading.Lock()
        self._executor: ThreadPoolExecutor | None = None
        self._client = httpx.Client(
            base_url=checked_url(base_url),
            transport=transport or DeadlineTransport(self._policy.in_flight + 20, ssl_context),
            trust_env=False,
            follow_redirects=False,
            headers={"User-Agent": "common-mesh"},
        )
        self._sender = Sender(self._client, tokens.source(token), self._policy)

    def create_session(self, org: str, module: str, model: str) -> MeshSession:
        """A session that sends to `/v1/{org}/{module}/{model}`; any text, it is percent-encoded.

        Raises RuntimeError after a fork or after `close`, ValueError for a part that no path can hold.
        """
        self._check()
        shared = Shared(self._sender, self._check, self._threads, self._policy.in_flight)
        return MeshSession(shared, org, module, model)

    def close(self) -> None:
        """Wait for what is on the way, close the connections. Nothing in a forked child: they are not its own."""
        if self._pid != os.getpid():
            return
        with self._lock:
            self._closed = True
            executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown()
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _threads(self) -> Executor:
        with self._lock:
            self._check()  # closed in the meantime: a new pool of threads would never be shut down
            if self._executor is None:
                self._executor = ThreadPoolExecutor(self._policy.in_flight, thread_name_prefix="common-mesh")
            return self._executor

    def _check(self) -> None:
        if self._pid != os.getpid():
            raise RuntimeError(
                f"this MeshEngine was made in process {self._pid} and is used in {os.getpid()}: "
                "connections do not survive a fork, make one engine per process, after the fork"
            )
        if self._closed:
            raise RuntimeError("this MeshEngine is closed")


def checked_url(base_url: str) -> httpx.URL:
    """The base address of a mesh. Raises ValueError for what is none."""
    try:
        url = httpx.URL(base_url)
        url.host.encode("idna")  # as the socket does it: a name that it cannot hold would fail only when it is sent to
    except (httpx.InvalidURL, UnicodeError):
        raise ValueError("base_url holds no host name and port that can be asked for") from None
    if url.port is not None and not 0 < url.port < 65536:
        raise ValueError("base_url must have a port between 1 and 65535")
    if url.scheme not in ("http", "https") or not url.host or url.query or url.fragment or url.userinfo:
        raise ValueError("base_url must be http(s)://host[:port][/path], without credentials, query or fragment")
    return url

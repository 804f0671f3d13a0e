"""Paragon User Tokens: a JWT, RS256, by which Paragon knows for which user we speak (facts.md, 1)."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import SecretStr

LIFETIME: Final = 3600
"""Seconds from `iat` to `exp`."""

_BACKDATED: Final = 60
"""Seconds. A verifier whose clock is behind ours refuses an `iat` in its future."""
_FRESH: Final = 600
"""Seconds of life that a remembered token has left at least: a Connect page must be able to work with it."""


class UserTokens:
    """Mints Paragon User Tokens and remembers them, one a connection, at most `remember`. Threads may share it.

    `signing_key` is the project's PEM, real line ends or literal `\\n`. `audience` is the claim as a whole
    ("useparagon.com/<project id>"), None for none. `clock` gives Unix seconds. Raises `ValueError` for a bad key.
    """

    def __init__(
        self,
        signing_key: SecretStr,
        *,
        audience: str | None = None,
        clock: Callable[[], float] = time.time,
        remember: int = 4096,
    ) -> None:
        self._key = _private_key(signing_key)
        self._audience, self._clock, self._remember = audience, clock, remember
        self._minted: OrderedDict[str, tuple[str, float]] = OrderedDict()
        self._lock = threading.Lock()

    def token(self, connection: str) -> str:
        """A token for `<user>/<org>` that is good for ten minutes more at least."""
        now = self._clock()
        with self._lock:
            token, expires = self._minted.get(connection, ("", 0.0))
            # The second bound is a clock that was set back: a token from the future is nobody's.
            if not now + _FRESH <= expires <= now + LIFETIME:
                token, expires = self._mint(connection, now)
                self._minted[connection] = (token, expires)
            self._minted.move_to_end(connection)
            while len(self._minted) > self._remember:
                self._minted.popitem(last=False)
        return token

    def _mint(self, connection: str, now: float) -> tuple[str, float]:
        begins = int(now) - _BACKDATED
        claims: dict[str, Any] = {"sub": connection, "iat": begins, "exp": begins + LIFETIME}
        if self._audience:
            claims["aud"] = self._audience
        return jwt.encode(claims, self._key, algorithm="RS256"), begins + LIFETIME


def _private_key(pem: SecretStr) -> RSAPrivateKey:
    """The key out of a secret store's string. The error says nothing of what was in it."""
    text = pem.get_secret_value().replace("\\n", "\n").strip()
    try:
        key = load_pem_private_key(text.encode(), password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("the Paragon signing key is not an RSA private key in PEM")
    return key

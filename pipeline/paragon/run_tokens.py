"""Run tokens: what a workflow echoes so that we know which connection, run and attempt a page belongs to.

A workflow's HTTP step cannot sign, and its fixed secret is the same for all customers (facts.md, 1). So each
trigger body carries a JWT of our own, and the workflow sends it back as `Authorization: Bearer`. It lives for 30
days: late is not lost; the run's state decides what a late page is worth.
"""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

import jwt
from msgspec import Struct
from pydantic import SecretStr

AUDIENCE: Final = "webhooks"
KIND: Final = "messages"
LIFETIME: Final = 30 * 24 * 3600
"""Seconds."""
LEEWAY: Final = 60
"""Seconds of clock skew between the machine that minted and the one that checks."""

_LONGEST: Final = 4096
_SHORTEST_SECRET: Final = 32
_ALGORITHM: Final = "HS256"
# The clock is our argument, so PyJWT checks the signature and nothing about time.
_OPTIONS: Final[Any] = {
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
    "require": ["sub", "aud", "iat", "exp"],
}


class BadToken(Exception):
    """Not a run token of ours, or not one that counts now. Which of the two is nobody's business: no detail."""


class RunClaims(Struct, frozen=True, kw_only=True):
    """What a verified run token says. `epoch` is in microseconds, `expires` in Unix seconds."""

    connection: str
    run: str
    attempt: int
    epoch: int
    gen: int
    expires: int


class RunTokens:
    """Mints and verifies run tokens. `keys` maps key id to secret, in order: the first one signs, all verify.

    Verified tokens are remembered (at most `remember`): a run's workflow sends the same one with every page. One
    instance per process; it is meant for one thread or one event loop.
    """

    def __init__(self, keys: Mapping[str, SecretStr], *, remember: int = 4096) -> None:
        if not keys:
            raise ValueError("run tokens need at least one key")
        if any(len(secret.get_secret_value().encode()) < _SHORTEST_SECRET for secret in keys.values()):
            raise ValueError(f"a run token key needs at least {_SHORTEST_SECRET} bytes")
        self._keys = {kid: secret.get_secret_value() for kid, secret in keys.items()}
        self._signing_kid = next(iter(self._keys))
        self._remember = remember
        self._verified: OrderedDict[str, tuple[RunClaims, float]] = OrderedDict()

    def mint(self, connection: str, run: str, attempt: int, epoch: int, gen: int, now: float) -> str:
        """A token for one attempt of one run. `now` is in Unix seconds, `epoch` in microseconds."""
        claims = {"aud": AUDIENCE, "sub": connection, "run": run, "attempt": attempt, "epoch": epoch, "gen": gen}
        times = {"kind": KIND, "iat": int(now), "exp": int(now) + LIFETIME}
        kid = self._signing_kid
        return jwt.encode(claims | times, self._keys[kid], algorithm=_ALGORITHM, headers={"kid": kid})

    def verify(self, token: str, now: float) -> RunClaims:
        """The claims of a token that is ours and valid at `now` (Unix seconds). Raises `BadToken`."""
        known = self._verified.get(token)
        if known is None:
            # Only what verified is remembered: forgeries cannot push honest tokens out.
            known = self._verified[token] = self._check(token)
            if len(self._verified) > self._remember:
                self._verified.popitem(last=False)
        self._verified.move_to_end(token)
        claims, begins = known
        if not begins - LEEWAY <= now < claims.expires + LEEWAY:
            raise BadToken
        return claims

    def _check(self, token: str) -> tuple[RunClaims, float]:
        """Signature, audience and shape; the times are compared by the caller, each time anew."""
        if len(token) > _LONGEST:
            raise BadToken
        for key in self._candidates(token):
            try:
                claims = jwt.decode(token, key, algorithms=[_ALGORITHM], audience=AUDIENCE, options=_OPTIONS)
            except (jwt.InvalidTokenError, ValueError, RecursionError):
                continue
            return _typed(claims)
        raise BadToken

    def _candidates(self, token: str) -> list[str]:
        """The key that the header names; all keys where it names none; no key where it names a stranger's."""
        try:
            kid = jwt.get_unverified_header(token).get("kid")
        except (jwt.InvalidTokenError, ValueError, RecursionError):
            return []
        if kid is None:
            return list(self._keys.values())
        return [self._keys[kid]] if kid in self._keys else []


def _typed(claims: Mapping[str, Any]) -> tuple[RunClaims, float]:
    """Claims with their types checked, and the moment from which they count (`iat`, or `nbf` where given)."""
    texts = [claims.get(name) for name in ("sub", "run")]
    numbers = [claims.get(name) for name in ("attempt", "epoch", "gen", "iat", "exp")]
    begins = claims.get("nbf", claims.get("iat"))
    right = all(isinstance(text, str) and text for text in texts) and all(type(n) is int for n in (*numbers, begins))
    if not right or claims.get("kind") != KIND:
        raise BadToken
    claimed = RunClaims(
        connection=claims["sub"],
        run=claims["run"],
        attempt=claims["attempt"],
        epoch=claims["epoch"],
        gen=claims["gen"],
        expires=claims["exp"],
    )
    return claimed, max(claims["iat"], begins or 0)

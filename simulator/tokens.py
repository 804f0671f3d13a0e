"""Tokens as the simulator sees them: Paragon User Tokens are checked, run tokens are only read."""

import base64
import binascii
import json

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import RSAAlgorithm


class BadKey(Exception):
    """The sentence for a public key that is none."""


class UserTokens:
    """Checks Paragon User Tokens: RS256 with the project's public key; `sub`, `iat` and `exp` are required.

    Raises `BadKey` for a key that is not a PEM.
    """

    def __init__(self, public_key: str) -> None:
        try:
            key = RSAAlgorithm(RSAAlgorithm.SHA256).prepare_key(public_key.replace("\\n", "\n"))
        except (ValueError, TypeError, jwt.PyJWTError):
            key = None
        if not isinstance(key, RSAPublicKey):
            raise BadKey("the public key is not an RSA public key in PEM.")
        self._key = key

    def subject(self, authorization: str) -> str | None:
        """The user of an `Authorization` header, None where the token is missing or wrong in any way."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            return None
        try:
            claims = jwt.decode(
                token.strip(),
                self._key,
                algorithms=["RS256"],
                options={"require": ["sub", "iat", "exp"], "verify_aud": False},
            )
        except jwt.PyJWTError:
            return None
        return str(claims["sub"]) or None


def epoch_of(run_token: str) -> int | None:
    """The `epoch` claim of a run token, read without its key; None where there is none."""
    try:
        payload = run_token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError, binascii.Error):
        return None
    epoch = claims.get("epoch") if isinstance(claims, dict) else None
    return epoch if isinstance(epoch, int) else None

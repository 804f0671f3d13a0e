"""The bearer token: asked for at each attempt, and never shown."""

from collections.abc import Callable

from common_mesh.errors import Refused, Unavailable

Token = Callable[[], str | None]


def source(token: str | Token | None) -> Token:
    """A token, or what gives the current one, as the latter."""
    return token if callable(token) else lambda: token


def current(token: Token) -> str | None:
    """The token now. Raises `Unavailable` if its source raises: a vault that is away is no reason to lose the batch."""
    try:
        return token()
    except Exception as error:
        raise Unavailable(f"the source of the token raised {type(error).__name__}") from error


def bearer(token: str | None) -> dict[str, str]:
    """The header, none without a token. Raises `Refused` for a token that no header can hold."""
    if not token:
        return {}
    if not (token.isascii() and token.isprintable()):
        raise Refused("the token has characters that no header can hold")
    return {"Authorization": f"Bearer {token}"}

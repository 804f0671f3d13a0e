"""What the comma lists among the settings hold: ids, keys, digests. A ValueError says what is wrong, never a value."""

import base64
import binascii
import re
from collections import Counter
from collections.abc import Iterable

KEY_ID = re.compile(r"[A-Za-z0-9._-]{1,32}")
SCOPE = re.compile(r"operator|org:.+")
SHA256_HEX = re.compile(r"[0-9a-f]{64}")


def listed(value: object) -> object:
    """A comma list as its parts; anything else as it is."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _pairs(value: object, separator: str, *, most: int = 1) -> list[tuple[str, str]]:
    """`<id><separator><value>,…`, each id at most `most` times."""
    parts = listed(value)
    if not isinstance(parts, list):
        raise ValueError(f"must be a comma list of <id>{separator}<value>")
    pairs = [part.rpartition(separator)[::2] if separator == "=" else part.partition(separator)[::2] for part in parts]
    if not all(key and entry for key, entry in pairs):
        raise ValueError(f"must be a comma list of <id>{separator}<value>")
    if max(Counter(key for key, _ in pairs).values(), default=0) > most:
        raise ValueError("names one id twice" if most == 1 else "holds more than two tokens of one scope")
    return pairs


def _key_ids(pairs: Iterable[tuple[str, str]]) -> None:
    if not all(KEY_ID.fullmatch(key) for key, _ in pairs):
        raise ValueError("has an id that is not 1 to 32 letters, digits, dots, dashes or underscores")


def run_token_keys(value: object) -> object:
    """`<kid>:<secret>,…`: the first one signs, all verify."""
    if isinstance(value, dict):
        return value
    _key_ids(pairs := _pairs(value, ":"))
    if any(len(secret) < 32 for _, secret in pairs):
        raise ValueError("has a key shorter than 32 characters")
    return dict(pairs)


def _thirty_two_bytes(text: str) -> bytes:
    try:
        key = base64.b64decode(text.translate(str.maketrans("-_", "+/")), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != 32:
        raise ValueError("has a key that is not 32 bytes in base64")
    return key


def vault_keys(value: object) -> object:
    """`<id>:<32 bytes in base64>,…`: the first one seals, all open."""
    if isinstance(value, dict):
        return value
    _key_ids(pairs := _pairs(value, ":"))
    return {key: _thirty_two_bytes(text) for key, text in pairs}


def signing_secret(text: str) -> bytes:
    """`whsec_<base64 of 24 to 64 bytes>`, as Standard Webhooks has it. Its library drops what is no base64 unseen."""
    prefix, _, encoded = text.partition("_")
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except binascii.Error:
        key = b""
    if prefix != "whsec" or not 24 <= len(key) <= 64:
        raise ValueError("has a secret that is not whsec_<24 to 64 bytes in base64>")
    return key


def core_tokens(value: object) -> object:
    """`<scope>=<SHA-256>,…`: scope → digests."""
    if isinstance(value, dict):
        return value
    pairs = _pairs(value, "=", most=2)  # two while one follows the other
    if not all(SCOPE.fullmatch(scope) for scope, _ in pairs):
        raise ValueError("has a scope that is neither `operator` nor `org:<id>`")
    if not all(SHA256_HEX.fullmatch(digest) for _, digest in pairs):
        raise ValueError("wants the SHA-256 of each token as 64 lower-case hex digits, never the token")
    return {scope: tuple(digest for name, digest in pairs if name == scope) for scope, _ in pairs}

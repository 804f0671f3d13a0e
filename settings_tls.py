"""TLS in the address of a server: `rediss://…?ssl_ca_certs=/etc/ssl/our-ca.pem`, for the store and for any broker.

Certificate and name are always verified: against the CA that is named, else against those that the system trusts.
`ssl_certfile` and `ssl_keyfile` are for a server that wants a certificate of ours. Nothing switches verification off.
"""

import ssl
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

SCHEMES: Final = ("rediss://", "sentinels://", "amqps://")
FILES: Final = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_PREFIX: Final = "ssl"


def checked(url: str) -> str:
    """The address, if what it says of TLS can be done. Raises ValueError with the end of a sentence."""
    plain, files = split(url)
    said = [name for name, _ in parse_qsl(url.partition("?")[2]) if name.startswith(_PREFIX)]
    if others := sorted(set(said) - set(FILES)):
        raise ValueError(f"says {others[0]}: only {', '.join(FILES)} can be said, and certificates are verified")
    if said and not plain.startswith(SCHEMES):
        raise ValueError(f"says {said[0]}, and does not begin with one of {', '.join(SCHEMES)}")
    if missing := [name for name, path in files.items() if not Path(path).is_file()]:
        raise ValueError(f"names a file as {missing[0]} that is not there")
    if ("ssl_certfile" in files) != ("ssl_keyfile" in files):
        raise ValueError("must say both ssl_certfile and ssl_keyfile, or neither")
    return url


def split(url: str) -> tuple[str, dict[str, str]]:
    """The address without what it says of TLS, and that: name → path."""
    address, _, query = url.partition("?")
    said = parse_qsl(query, keep_blank_values=True)
    if not any(name in FILES for name, _ in said):
        return url, {}
    left = [(name, value) for name, value in said if name not in FILES]
    return address + (f"?{urlencode(left)}" if left else ""), {name: value for name, value in said if name in FILES}


def of_redis(files: dict[str, str]) -> dict[str, Any]:
    """What redis-py's connections want. kombu would verify nothing by default: hence all of it is said."""
    return {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_check_hostname": True, **files}


def of_amqp(files: dict[str, str], host: str | None) -> dict[str, Any]:
    """What py-amqp's connections want. It verifies the name only where one is said, and kombu makes a number of
    `localhost` before it says it.
    """
    theirs = {name.removeprefix("ssl_"): path for name, path in files.items()}
    return {"cert_reqs": ssl.CERT_REQUIRED, "server_hostname": host, **theirs}

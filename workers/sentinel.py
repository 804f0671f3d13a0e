"""A broker behind Sentinels, in one address:

sentinel://[<user>:<password>@]<host>[:<port>];<host>[:<port>]…[/<database>]?master_name=<name>[&sentinel_password=<…>]

With `sentinels://`, the Sentinels and the broker all speak TLS. User, password and database are the broker's own;
`sentinel_password` (and `sentinel_user`) are the Sentinels'.
"""

from typing import Any
from urllib.parse import parse_qsl

SCHEME = "sentinel://"


def hosts_and_options(url: str, patience: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Celery's own form of it, where every host stands in an address of its own with the same user and database, and
    the transport's options; `patience` are the socket's, which hold towards the Sentinels, too.
    """
    address, _, query = url.partition("?")
    said = dict(parse_qsl(query))
    hosts, _, database = address.replace(SCHEME, "").partition("/")
    login, at, hosts = hosts.rpartition("@")
    spelled = ";".join(f"{SCHEME}{login}{at}{host}/{database or 0}" for host in hosts.split(";"))
    theirs = {"username": said.get("sentinel_user"), "password": said.get("sentinel_password")}
    known = {name: value for name, value in theirs.items() if value}
    return spelled, {"master_name": said["master_name"], "sentinel_kwargs": patience | known}

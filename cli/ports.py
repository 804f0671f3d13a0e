"""Which loopback ports the processes get: the preferred one where it is free, else any free one."""

import socket
from collections.abc import Mapping

HOST = "127.0.0.1"

PREFERRED = {"api": 8600, "flower": 8601, "simulator": 8602, "mesh": 8603, "store": 8604, "broker": 8605}


def choose(wanted: Mapping[str, int]) -> dict[str, int]:
    """One free port a name, all distinct; 0 means any. Another program may still take one before we use it."""
    held: dict[str, socket.socket] = {}
    try:
        for name, port in wanted.items():
            held[name] = _hold(port)
        return {name: int(held_port.getsockname()[1]) for name, held_port in held.items()}
    finally:
        for held_port in held.values():
            held_port.close()


def _hold(port: int) -> socket.socket:
    """A bound socket; as servers do, over the remains of closed connections but not over a listener."""
    holder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        holder.bind((HOST, port))
        # SO_REUSEADDR lets two sockets bind where neither listens yet: listening makes the claim visible.
        holder.listen(1)
    except OSError:
        holder.close()
        if port == 0:
            raise
        return _hold(0)
    return holder

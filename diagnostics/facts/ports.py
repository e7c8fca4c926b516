"""Tests whether the TCP ports that are configured here can be bound."""

from __future__ import annotations

import socket

from diagnostics.facts.procfs import names
from diagnostics.records import Ports

NETRON_PORT = 8080


def describe(variables: dict[str, str], *, netron: bool) -> Ports:
    """Return the wanted ports that another process holds."""
    wanted: dict[str, int] = {}
    master = variables.get("MASTER_PORT", "")
    # Only the process of rank 0 listens; elsewhere a taken port is the normal state.
    if master.isdigit() and variables.get("RANK", "0") == "0":
        wanted["MASTER_PORT"] = int(master)
    if netron:
        wanted["netron"] = NETRON_PORT
    taken = {name: port for name, port in wanted.items() if not _is_free(port)}
    return Ports(taken=taken, interfaces=names("/sys/class/net"))


def _is_free(port: int) -> bool:
    if not 0 < port < 65536:
        return True
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except PermissionError:
            return True
        except OSError:
            return False
    return True

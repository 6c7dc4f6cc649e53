"""Where a neighbour is asked: from what a setting says to a target of gRPC."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from restock.core.errors import InvalidInput


def target_of(urls: str, setting: str, *, secure: bool = False, instead: Mapping[int, int] | None = None) -> str:
    """Give the target for `host:port`, or for several with commas between, of which each is asked in turn.

    `instead` maps ports to those that are meant: published settings may name the port of REST. Raises InvalidInput naming
    the setting.
    """
    found = []
    for url in urls.split(","):
        host, port = address_of(url.strip(), setting, secure=secure)
        port = (instead or {}).get(port, port)
        found.append(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    if len(found) == 1:
        return found[0]
    families = {_family(one) for one in found}
    if len(families) > 1 or "" in families:
        raise InvalidInput(
            f"{urls!r} are not addresses of one kind.",
            field=setting,
            remedy="Of several give IP addresses with their ports, or one name that stands for all.",
        )
    return f"{families.pop()}:{','.join(found)}"


def _family(place: str) -> str:
    try:
        return f"ipv{ipaddress.ip_address(place.rpartition(':')[0].strip('[]')).version}"
    except ValueError:
        return ""


def address_of(url: str, setting: str, *, secure: bool = False) -> tuple[str, int]:
    """Give host and port of a neighbour: `host:port`, with or without a scheme; of loopback unless `secure`.

    Raises InvalidInput naming the setting.
    """
    try:
        parts = urlsplit(url if "://" in url else f"grpc://{url}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    if not host or not port:
        raise InvalidInput(f"{url!r} is no address.", field=setting, remedy="Give host:port, such as 127.0.0.1:50051.")
    if host != "localhost" and not secure and not _is_loopback(host):
        raise InvalidInput(
            f"{host} is another machine, and plain text is spoken on loopback only.",
            field=setting,
            remedy="Give an address of this machine, or set RESTOCK_TLS to a folder of `restock setup certificates`.",
        )
    return "127.0.0.1" if host == "localhost" else host, port


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

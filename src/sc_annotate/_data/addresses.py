"""Addresses of files: which may be downloaded from, and which may lead on to which."""

from __future__ import annotations

import re
import socket
from ipaddress import ip_address
from urllib.parse import urlsplit, urlunsplit

from sc_annotate.errors import InputError

LONGEST = 2_000
"""Characters of an address; servers take no more."""


def is_url(source: object) -> bool:
    """Whether a string is an address and no path."""
    return isinstance(source, str) and re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", source) is not None


def check_url(url: str, *, checked: bool, after: str | None = None) -> None:
    """Refuse addresses whose content anyone on the way could change, unless there is a checksum to compare.

    `after` is the address that leads on to this one: from another machine, none leads to this machine.
    """
    if len(url) > LONGEST:
        raise InputError(f"{url[:60] + '...'!r} has {len(url):,} characters, more than an address has. Correct it.")
    try:
        url.encode()
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise InputError(f"{url!r} is no whole address ({error}). Correct it, or pass the path of a file.") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(
            f"{url!r} cannot be downloaded: only http and https addresses can. Pass the path of a file instead."
        )
    here = is_here(parts.hostname)
    near = here or is_here(parts.hostname, linked=True)
    if near and after is not None and not is_here(urlsplit(after).hostname or "", linked=True):
        raise InputError(f"{after!r} leads on to {url!r}, which is an address of this machine. Check the address.")
    if parts.scheme == "http" and not checked and not here:
        raise InputError(
            f"{url!r} is not https, so anyone on the way could put another file in its place. Pass its checksum as sha256=, or "
            "use an https address."
        )


def is_here(host: str, *, linked: bool = False) -> bool:
    """Whether a host is this machine, in any way of writing it; `linked`: or one that only this machine reaches."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ip_address(name.partition("%")[0])
    except ValueError:
        try:
            # 127.1, 0x7f000001 and the like, which the system takes for addresses.
            address = ip_address(socket.inet_aton(name))
        except (OSError, ValueError):
            return False
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or address.is_unspecified or (linked and address.is_link_local)


def without_login(url: str) -> str:
    """An address without the name and password that may stand in it, which no result may pass on.

    Examples
    --------
    >>> without_login("https://me:secret@lab.example:8443/models.json")
    'https://lab.example:8443/models.json'
    """
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))

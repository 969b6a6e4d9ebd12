"""Addresses of files: which may be downloaded from, and which may lead on to which."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from sc_annotate.errors import InputError

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def is_url(source: object) -> bool:
    """Whether a string is an address and no path."""
    return isinstance(source, str) and re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", source) is not None


def check_url(url: str, *, checked: bool, after: str | None = None) -> None:
    """Refuse addresses whose content anyone on the way could change, unless there is a checksum to compare.

    `after` is the address that leads on to this one: from another machine, none leads to this machine.
    """
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
    here = parts.hostname in _LOOPBACK
    if here and after is not None and urlsplit(after).hostname not in _LOOPBACK:
        raise InputError(f"{after!r} leads on to {url!r}, which is an address of this machine. Check the address.")
    if parts.scheme == "http" and not checked and not here:
        raise InputError(
            f"{url!r} is not https, so anyone on the way could put another file in its place. Pass its checksum as sha256=, or "
            "use an https address."
        )

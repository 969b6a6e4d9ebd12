"""Lists of shared models: lines of a name, a checksum and an address."""

from __future__ import annotations

import difflib
import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin

from sc_annotate._core.settings import logger
from sc_annotate._data.addresses import is_url
from sc_annotate._data.download import LIST, MOST_BYTES_OF_A_LIST, check_sha256, fetch, kept
from sc_annotate.errors import DownloadError, InputError


@dataclass(frozen=True)
class Shared:
    """One line of a list."""

    sha256: str
    where: str


def look_up(name: str, registry: str | os.PathLike[str]) -> Shared:
    """Where a model of this name is, by the list in a file or at an address; an unknown name lists the near ones."""
    found = _read(registry)
    if name in found:
        return found[name]
    near = difflib.get_close_matches(name, found, n=3, cutoff=0.5)
    hint = f"Did you mean {' or '.join(map(repr, near))}? " if near else ""
    raise InputError(
        f"{str(registry)!r} has no model {name!r}. {hint}It has: {', '.join(map(repr, list(found)[:20])) or 'none'}."
    )


def _read(registry: str | os.PathLike[str]) -> dict[str, Shared]:
    if not isinstance(registry, str | os.PathLike):
        raise InputError(f"registry must be the path or address of a list of models, not {type(registry).__name__}.")
    text = str(registry)
    try:
        path = _latest(text) if is_url(text) else Path(registry)
        if not path.is_file():
            raise InputError(f"there is no list of models {text!r} (registry).")
        return parse(path, text)
    except OSError as error:
        raise InputError(f"the list of models {text!r} cannot be read ({error}).") from error


def _latest(url: str) -> Path:
    """The current list; without a connection, the last copy."""
    try:
        return fetch(url, sha256=None, refresh=True, may_change=True, check=lambda path: parse(path, url), kind=LIST)
    except DownloadError as error:
        place = kept(url)
        if place.sha256() is None:
            raise
        logger.warning(f"the list of models {url!r} cannot be downloaded, and the last copy is used: {error}")
        return place.path


def parse(path: Path, where: str) -> dict[str, Shared]:
    """The lines of a list that stands at `where`, a path or an address; addresses in it may be relative to that."""
    if path.stat().st_size > MOST_BYTES_OF_A_LIST:
        raise InputError(f"{where!r} is too large for a list of models (registry).")
    found: dict[str, Shared] = {}
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
        for number, line in enumerate(lines, start=1):
            fields = shlex.split(line, comments=True)
            if not fields:
                continue
            if len(fields) != 3 or not all(fields) or fields[0] in found:
                raise ValueError(f"line {number} is not a new name, sha256 and address")
            sha256 = check_sha256(fields[1])
            found[fields[0]] = Shared(str(sha256), _absolute(fields[2], where))
    except ValueError as error:
        raise InputError(
            f"{where!r} is not a list of models ({error}). Each line is: name sha256 address; a name with spaces is quoted."
        ) from error
    return found


def _absolute(address: str, where: str) -> str:
    if is_url(address):
        return address
    return urljoin(where, address) if is_url(where) else str(Path(where).parent / address)

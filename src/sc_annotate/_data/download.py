"""Files from the web, cached and verified by checksum: every download of the package."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from sc_annotate._core.settings import logger, settings
from sc_annotate._data.addresses import check_url
from sc_annotate._data.partial import Partial
from sc_annotate._data.transfer import Failed, Limits
from sc_annotate.errors import DownloadError, InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CACHE_VARIABLE = "SC_ANNOTATE_CACHE"
"""Environment variable with another folder for downloaded files."""
MOST_BYTES = 500 * 10**6
MOST_BYTES_OF_A_MODEL = 250 * 10**6
MOST_BYTES_OF_A_LIST = 4 * 10**6
OFFLINE_FIX = "Check the address and the connection; or download it on another machine and pass its path."


def check_sha256(sha256: object) -> str | None:
    """The checksum in lower case, or an InputError."""
    if sha256 is None:
        return None
    text = sha256.removeprefix("sha256:").lower() if isinstance(sha256, str) else ""
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise InputError(f"sha256 must be 64 hexadecimal digits, not {sha256!r}. `sha256sum FILE` prints them.")
    return text


def sha256_of(path: Path) -> str:
    """Checksum of a file, 64 hexadecimal digits."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def cache_folder() -> Path:
    """Where downloads are kept: ``$SC_ANNOTATE_CACHE``, else the folder that the system has for such files."""
    if chosen := os.environ.get(CACHE_VARIABLE):
        return Path(chosen)
    import pooch

    return Path(pooch.os_cache("sc_annotate"))


@dataclass(frozen=True)
class Kept:
    """A downloaded file, its checksum and what it was downloaded from."""

    path: Path

    @property
    def note(self) -> Path:
        return self.path.with_name(f"{self.path.name}.json")

    def sha256(self) -> str | None:
        """The checksum that was noted, None where nothing whole is kept."""
        try:
            noted = json.loads(self.note.read_text(encoding="utf-8"))["sha256"]
            return str(noted) if self.path.is_file() and sha256_of(self.path) == noted else None
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None


def kept(url: str) -> Kept:
    """Where the file of an address is kept."""
    # Names of files have so many bytes at most, not characters.
    name = re.sub(r"[^\w.-]", "_", unquote(Path(urlsplit(url).path).name), flags=re.ASCII)[-80:] or "file"
    return Kept(cache_folder() / f"{hashlib.sha256(url.encode()).hexdigest()[:16]}-{name}")


@dataclass(frozen=True)
class Kind:
    """What is downloaded: its largest size, its longest duration, and what to do without a connection."""

    max_bytes: int = MOST_BYTES
    seconds: float = 3600
    is_list: bool = False
    offline_fix: str = OFFLINE_FIX

    def limits(self) -> Limits:
        """The limits of a download that begins now."""
        deadline, chosen = monotonic() + (settings.max_download_seconds or self.seconds), settings.max_download_bytes
        if self.is_list and self.max_bytes <= (chosen or MOST_BYTES):
            return Limits(self.max_bytes, deadline, "a list")
        return Limits(chosen or self.max_bytes, deadline)


MODEL = Kind(MOST_BYTES_OF_A_MODEL)
LIST = Kind(MOST_BYTES_OF_A_LIST, is_list=True)
DATA = Kind()


def fetch(
    url: str,
    *,
    sha256: str | None,
    refresh: bool,
    check: Callable[[Path], Any],
    kind: Kind = DATA,
    may_change: bool = False,
) -> Path:
    """The file of an address, from the folder of downloads where it is kept.

    A cached file is used whatever the address holds by now: it is replaced only with `refresh`, or where another `sha256` is
    required. `check` raises where the content is wrong; such a file is not cached. Of a file that `may_change`, no warning says
    that it did.
    """
    check_url(url, checked=sha256 is not None)
    place = kept(url)
    before = place.sha256()
    if before is not None and not refresh and sha256 in (None, before):
        return place.path
    with downloaded(url, sha256=sha256, check=check, kind=kind, before=before) as (temporary, found):
        if may_change:
            pass
        elif before is not None and before != found:
            logger.warning(f"{url!r} holds another file than before: its sha256 is {found}, and was {before}")
        elif sha256 is None:
            logger.warning(f"{url!r} downloaded; to get exactly this file every time, pass sha256={found!r}")
        temporary.replace(place.path)
        write_note(place.note, {"url": url, "sha256": found})
    return place.path


@contextmanager
def downloaded(
    url: str, *, sha256: str | None, check: Callable[[Path], Any], kind: Kind, before: str | None = None
) -> Iterator[tuple[Path, str]]:
    """A file as its address has it now, and its checksum; deleted at the end of the block unless it was moved.

    `before` is the checksum of the copy that is kept, for messages.
    """
    check_url(url, checked=sha256 is not None)
    limits, folder = kind.limits(), cache_folder()
    part = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part = Partial(folder, kept(url).path.name)
        yield part.data, _receive(url, part, limits, sha256, check)
    except Failed as error:
        have = "and no copy of it is kept here" if before is None else f"and the copy kept here has sha256 {before}"
        raise DownloadError(f"{url!r} cannot be downloaded ({error}), {have}. {kind.offline_fix}") from error
    except OSError as error:
        raise InputError(
            f"downloads cannot be kept in {str(folder)!r} ({error}). Name another folder in the environment variable "
            f"{CACHE_VARIABLE}."
        ) from error
    finally:
        if part is not None:
            part.discard()


def _receive(
    url: str, part: Partial, limits: Limits, sha256: str | None, check: Callable[[Path], Any], *, again: bool = False
) -> str:
    """The checksum of the whole file, after both the checksum and the content were checked."""
    logger.info(f"downloading {url!r}")
    try:
        part.receive(url, limits, checked=sha256 is not None)
    except Failed as failed:
        if not failed.too_large:
            part.keep()
        raise
    except KeyboardInterrupt:
        part.keep()
        raise
    if not part.data.is_file():
        part.data.touch()
    found = sha256_of(part.data)
    try:
        if sha256 is not None and found != sha256:
            raise DownloadError(
                f"{url!r} holds another file than the requested one: its sha256 is {found}, not {sha256}. It was not kept. Ask "
                "its provider which one is right."
            )
        try:
            check(part.data)
        except InputError as error:
            text = str(error).replace(repr(str(part.data)), "it")
            raise type(error)(f"{url!r} was downloaded and not kept: {text}") from error
    except InputError:
        if not part.resumed or again:
            raise
        # Parts of two versions, from a server that does not report a change.
        part.restart()
        return _receive(url, part, limits, sha256, check, again=True)
    return found


def write_note(path: Path, note: dict[str, Any]) -> None:
    """Write a small JSON file, whole or not at all."""
    temporary = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        temporary.write_text(json.dumps(note), encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)

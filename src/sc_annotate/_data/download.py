"""Files from the web, kept on this machine and held to their checksum."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urljoin, urlsplit

from sc_annotate._core.files import usual_rights
from sc_annotate._core.settings import logger
from sc_annotate.errors import InputError, ModelFileError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CACHE_VARIABLE = "SC_ANNOTATE_CACHE"
"""Environment variable with another folder for downloaded files."""
_TIMEOUT = 30
_HERE = {"localhost", "127.0.0.1", "::1"}


def is_url(source: object) -> bool:
    """Whether a string is an address and no path."""
    return isinstance(source, str) and re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", source) is not None


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


def check_url(url: str, *, checked: bool) -> None:
    """Refuse addresses whose content anyone on the way could change, unless there is a checksum to compare."""
    try:
        url.encode()
        parts = urlsplit(url)
    except ValueError as error:
        raise InputError(f"{url!r} is no whole address ({error}). Correct it, or pass the path of a file.") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(
            f"{url!r} cannot be downloaded: only http and https addresses can. Pass the path of a file instead."
        )
    if parts.scheme == "http" and not checked and parts.hostname not in _HERE:
        raise InputError(
            f"{url!r} is not https, so anyone on the way could put another file in its place. Pass its checksum as sha256=, or "
            "use an https address."
        )


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
        except (OSError, ValueError, KeyError, TypeError):
            return None


def kept(url: str) -> Kept:
    """Where the file of an address is kept."""
    # Names of files have so many bytes at most, not characters.
    name = re.sub(r"[^\w.-]", "_", unquote(Path(urlsplit(url).path).name), flags=re.ASCII)[-80:] or "file"
    return Kept(cache_folder() / f"{hashlib.sha256(url.encode()).hexdigest()[:16]}-{name}")


def fetch(
    url: str, *, sha256: str | None, refresh: bool, check: Callable[[Path], Any], may_change: bool = False
) -> Path:
    """The file of an address, from the folder of downloads where it is kept.

    What is kept is taken again, whatever the address holds by now: it changes only with `refresh`, or where another
    `sha256` is required. `check` raises where the content is not what was wanted; such a file is not kept. Of a file that
    `may_change`, nothing is said where it did.
    """
    check_url(url, checked=sha256 is not None)
    place = kept(url)
    before = place.sha256()
    if before is not None and not refresh and sha256 in (None, before):
        return place.path
    with _new_file(place.path.parent) as temporary:
        try:
            _download(url, temporary, checked=sha256 is not None)
        except _Failed as error:
            have = "and no copy of it is kept here" if before is None else f"and the copy kept here has sha256 {before}"
            raise ModelFileError(
                f"{url!r} cannot be downloaded ({error}), {have}. Check the address and the connection; or download it on another machine "
                "and pass its path."
            ) from error
        found = sha256_of(temporary)
        if sha256 is not None and found != sha256:
            raise ModelFileError(
                f"{url!r} holds another file than the requested one: its sha256 is {found}, not {sha256}. It was not kept. Ask "
                "whoever shares it which one is right."
            )
        try:
            check(temporary)
        except InputError as error:
            text = str(error).replace(repr(str(temporary)), "it")
            raise type(error)(f"{url!r} was downloaded and not kept: {text}") from error
        if may_change:
            pass
        elif before is not None and before != found:
            logger.warning(f"{url!r} holds another file than before: its sha256 is {found}, and was {before}")
        elif sha256 is None:
            logger.warning(f"{url!r} downloaded; to have this very file every time, pass sha256={found!r}")
        usual_rights(temporary)
        temporary.replace(place.path)
        place.note.write_text(json.dumps({"url": url, "sha256": found}), encoding="utf-8")
    return place.path


@contextmanager
def _new_file(folder: Path) -> Iterator[Path]:
    """A file in the folder of downloads, gone afterwards unless it was moved."""
    temporary = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=folder, prefix=".download-")
        os.close(handle)
        temporary = Path(name)
        yield temporary
    except OSError as error:
        raise InputError(
            f"downloads cannot be kept in {str(folder)!r} ({error}). Name another folder in the environment variable "
            f"{CACHE_VARIABLE}."
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


class _Failed(Exception):
    """Why an address gave nothing."""


def _download(url: str, target: Path, *, checked: bool) -> None:
    import pooch
    import requests
    from urllib3.exceptions import HTTPError

    def look(response: requests.Response, *_: Any, **__: Any) -> None:
        # An https address may lead on to another one, which is refused before it is opened.
        if response.is_redirect:
            check_url(urljoin(response.url, response.headers["location"]), checked=checked)

    logger.info(f"downloading {url!r}")
    try:
        pooch.HTTPDownloader(chunk_size=2**16, timeout=_TIMEOUT, hooks={"response": look})(url, str(target), None)
    except InputError:
        raise
    # Some of what urllib3 says of an address comes through as it is.
    except (requests.RequestException, HTTPError, OSError, ValueError) as error:
        raise _Failed(f"{type(error).__name__}: {str(error)[:200]}") from error

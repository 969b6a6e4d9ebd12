"""Partial downloads, kept for a few days so that an interrupted transfer can be resumed."""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import shutil
import time
from http import HTTPStatus
from typing import TYPE_CHECKING

from sc_annotate._core.settings import logger, track
from sc_annotate._core.version import __version__
from sc_annotate._data.transfer import Failed, Transfer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sc_annotate._data.transfer import Limits

ATTEMPTS = 4
MOST_KEPT = 4
DAYS_KEPT = 3


class Partial:
    """A folder of this process: the bytes received so far, and the validator of the version that they belong to.

    It takes over the folder of an earlier, interrupted transfer of `name`, if there is one. Renaming a folder is atomic, so
    only one process gets it.
    """

    def __init__(self, cache: Path, name: str) -> None:
        _clean(cache)
        self._kept = cache / f".{name}.part"
        self._folder = cache / f".download-{secrets.token_hex(8)}"
        try:
            self._kept.rename(self._folder)
        except OSError:
            self._folder.mkdir()
        self.data = self._folder / "data"
        self._note = self._folder / "note.json"
        self.resumed = False

    @property
    def size(self) -> int:
        return self.data.stat().st_size if self.data.is_file() else 0

    @property
    def validator(self) -> str | None:
        """The tag of the version that the bytes belong to, for If-Range; None where the transfer cannot be resumed."""
        try:
            found = json.loads(self._note.read_text(encoding="utf-8"))["validator"]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None
        return found if isinstance(found, str) and re.fullmatch(r"[\x20-\x7e]{1,300}", found) else None

    def restart(self, validator: str | None = None) -> None:
        """Drop the bytes; the next ones are of the version with this tag."""
        self.data.unlink(missing_ok=True)
        self._note.write_text(json.dumps({"validator": validator}), encoding="utf-8")
        self.resumed = False

    def keep(self) -> None:
        """Keep the bytes for a later call, if it can resume the transfer."""
        if self.size and self.validator is not None:
            with contextlib.suppress(OSError):  # another process kept its own
                self._folder.rename(self._kept)

    def discard(self) -> None:
        """Delete the folder, unless it was kept."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def receive(self, url: str, limits: Limits, *, checked: bool) -> None:
        """Download all bytes of an address; an interrupted transfer is resumed where the server supports it."""
        for attempt in range(1, ATTEMPTS + 1):
            before = self.size
            try:
                return self._receive(url, limits, checked=checked)
            except Failed as failed:
                if not failed.broken or attempt == ATTEMPTS or self.size <= before:
                    raise
                logger.info(f"the download of {url!r} was interrupted and is resumed: {failed}")

    def _receive(self, url: str, limits: Limits, *, checked: bool) -> None:
        have, validator = self.size, self.validator
        headers = {"Accept-Encoding": "identity", "User-Agent": f"sc_annotate/{__version__}"}
        resumes = have > 0 and validator is not None
        if resumes:
            headers |= {"Range": f"bytes={have}-", "If-Range": str(validator)}
        with Transfer(url, headers, limits, checked=checked) as transfer:
            if resumes and transfer.status == HTTPStatus.PARTIAL_CONTENT and not transfer.encoding:
                continues = _continues(transfer.headers, have, str(validator))
            else:
                continues = False
            if continues:
                self.resumed = True
            elif transfer.status == HTTPStatus.OK:
                have = 0
                self.restart(None if transfer.encoding else _validator(transfer.headers, checked=checked))
            elif resumes and transfer.status in (206, 416, 412):
                self.restart()
            else:
                raise Failed(f"HTTPError: {transfer.status} {_phrase(transfer.status)}")
            if continues or transfer.status == HTTPStatus.OK:
                total = None if transfer.encoding else transfer.length
                blocks = track(transfer.blocks(have), what="downloading", total=total, size=len)
                with self.data.open("ab" if continues else "wb") as out:
                    for block in blocks:
                        out.write(block)
                return
        self._receive(url, limits, checked=checked)


def _validator(headers: Mapping[str, str], *, checked: bool) -> str | None:
    """Identifies the version of a file: a strong tag; or its date, where a checksum is compared at the end."""
    tag = headers.get("etag", "").strip()
    if tag and not tag.startswith("W/"):
        return tag
    return headers.get("last-modified") if checked else None


def _continues(headers: Mapping[str, str], have: int, validator: str) -> bool:
    """Whether the response continues the same version at the next byte."""
    tag = headers.get("etag", "").strip()
    same = not tag or tag == validator or not validator.startswith('"')
    return same and re.match(rf"bytes {have}-\d+/", headers.get("content-range", "")) is not None


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _clean(cache: Path) -> None:
    """Remove what interrupted or killed transfers left behind."""
    found = []
    for folder in [*cache.glob(".*.part"), *cache.glob(".download-*")]:
        with contextlib.suppress(OSError):  # another process removed it
            found.append((max(path.stat().st_mtime for path in [folder, *folder.iterdir()]), folder))
    kept = sorted(found, reverse=True)
    now = time.time()
    parts = [folder for _, folder in kept if folder.suffix == ".part"]
    for when, folder in kept:
        if now - when > DAYS_KEPT * 86_400 or folder in parts[MOST_KEPT:]:
            shutil.rmtree(folder, ignore_errors=True)

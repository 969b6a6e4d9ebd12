"""One transfer over http, with limits of time, size and pace that hold for any server.

requests makes the connections, but lacks these limits. A separate thread reads, as a blocked read cannot be ended; the
caller takes the blocks from a queue, with a timeout.
"""

from __future__ import annotations

import queue
import threading
import zlib
from dataclasses import dataclass
from importlib import import_module
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from sc_annotate._data.addresses import check_url
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import requests

BLOCK = 2**14
"""Bytes that must arrive within `PACE` seconds, except the last ones."""
PACE = 15.0
ANSWER = 20.0
"""Seconds until a server begins to respond."""
REDIRECTS = 5


class Failed(Exception):
    """Why a download failed; `broken` where another attempt may succeed."""

    def __init__(self, reason: str, *, broken: bool = False, too_large: bool = False) -> None:
        super().__init__(reason)
        self.broken = broken
        self.too_large = too_large


@dataclass(frozen=True)
class Limits:
    """Bytes of the file, decoded; and the time of :func:`time.monotonic` by which the download must be complete."""

    bytes: int
    deadline: float
    set_by: str = "settings.max_download_bytes"

    def check(self, n: int) -> None:
        """Refuse a file of so many bytes."""
        if n > self.bytes:
            raise Failed(f"it has more than {self.bytes:,} bytes, the limit of {self.set_by}", too_large=True)


class Transfer:
    """The response of a server: its status and headers, then its bytes.

    Used in a ``with`` block, at whose end the reading thread stops.
    """

    def __init__(self, url: str, headers: Mapping[str, str], limits: Limits, *, checked: bool) -> None:
        self._limits = limits
        self._blocks: queue.Queue[Any] = queue.Queue(maxsize=8)
        self._ended = threading.Event()
        # Imported here, so that the import does not count as the server's time.
        import_module("requests")
        work = threading.Thread(target=self._work, args=(url, dict(headers), checked), daemon=True)
        work.start()
        try:
            self.status, self.headers = self._next(ANSWER, f"no answer within {ANSWER:g} seconds")
        except BaseException:
            self._ended.set()
            raise

    def __enter__(self) -> Transfer:
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()

    @property
    def length(self) -> int | None:
        """The number of bytes that the server states."""
        text = self.headers.get("content-length", "")
        return int(text) if text.isdecimal() and text.isascii() else None

    @property
    def encoding(self) -> str:
        """The content encoding of the response, "" where it has none."""
        return str(self.headers.get("content-encoding", "")).strip().lower().replace("identity", "")

    def blocks(self, have: int) -> Iterator[bytes]:
        """The decoded bytes; never more than the limit, which includes the `have` bytes received before."""
        encoding = self.encoding
        if encoding not in ("", "gzip", "x-gzip", "deflate"):
            raise Failed(f"its encoding {encoding[:30]!r} is not supported")
        if self.length is not None:
            self._limits.check(have + self.length)
        blocks: Iterator[bytes] = self._raw()
        if encoding:
            blocks = _unpacked(blocks, zlib.MAX_WBITS | (16 if "gzip" in encoding else 0))
        for block in blocks:
            have += len(block)
            self._limits.check(have)
            yield block

    def _raw(self) -> Iterator[bytes]:
        got, slow = 0, f"less than {BLOCK // 1000} KB in {PACE:g} seconds"
        while block := self._next(PACE, slow):
            got += len(block)
            yield block
        if self.length is not None and got < self.length:
            raise Failed(f"the connection ended after {got:,} of {self.length:,} bytes", broken=True)

    def _next(self, seconds: float, slow: str) -> Any:
        left = self._limits.deadline - monotonic()
        try:
            # Blocks in the queue do not extend the deadline.
            found = self._blocks.get(timeout=min(seconds, left)) if left > 0 else self._late()
        except queue.Empty:
            if left > seconds:
                raise Failed(slow) from None
            found = self._late()
        if isinstance(found, BaseException):
            raise found
        return found

    @staticmethod
    def _late() -> Any:
        raise Failed("it took longer than settings.max_download_seconds")

    # ---- in the reading thread

    def _work(self, url: str, headers: dict[str, str], checked: bool) -> None:
        import requests
        from urllib3.exceptions import HTTPError

        try:
            with requests.Session() as session, _answer(session, url, headers, checked=checked) as response:
                self._put((response.status_code, response.headers))
                while block := response.raw.read(BLOCK, decode_content=False):
                    if not self._put(block):
                        return
                self._put(b"")
        except (Failed, InputError) as error:
            self._put(error)
        # requests does not wrap every error of urllib3.
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            self._put(Failed(f"{type(error).__name__}: {_plainly(error)[:200]}", broken=True))
        except BaseException as error:  # noqa: BLE001  (raised again in the thread of the caller)
            self._put(error)

    def _put(self, found: Any) -> bool:
        """Whether the caller still waits for it."""
        while not self._ended.is_set():
            try:
                self._blocks.put(found, timeout=0.2)
            except queue.Full:
                continue
            return True
        return False


def _answer(session: requests.Session, url: str, headers: dict[str, str], *, checked: bool) -> requests.Response:
    """The response after at most a few redirects, whose bodies are not read."""
    import requests

    for _ in range(REDIRECTS + 1):
        request = session.prepare_request(requests.Request("GET", url, headers=headers))
        around = session.merge_environment_settings(url, {}, True, None, None)
        # Not by `session.get`, which reads the body of a redirect, of any length.
        response = session.get_adapter(str(request.url)).send(request, timeout=(10, ANSWER), **around)
        target = session.get_redirect_target(response)
        if target is None:
            return response
        response.close()
        before, url = url, urljoin(response.url, target)
        # A redirect from https to http is refused before it is opened.
        check_url(url, checked=checked, after=before)
    raise Failed(f"more than {REDIRECTS} redirects")


def _unpacked(blocks: Iterator[bytes], bits: int) -> Iterator[bytes]:
    """Decompress gzip or deflate in small blocks: one block can hold a thousand times its size."""
    unpacker = zlib.decompressobj(bits)
    try:
        for packed in blocks:
            block = packed
            while block and not unpacker.eof:
                yield unpacker.decompress(block, 2**16)
                block = unpacker.unconsumed_tail
            if unpacker.unused_data:
                raise Failed("there are bytes after the end of the compressed data")
            if unpacker.eof:
                break
        # The decompressor may hold a small rest.
        while rest := unpacker.decompress(unpacker.unconsumed_tail, 2**16):
            yield rest
    except zlib.error as error:
        raise Failed(f"its content does not match its encoding ({error})") from error
    if not unpacker.eof:
        raise Failed("the connection ended before the compressed data did", broken=True)


def _plainly(error: BaseException) -> str:
    """The reason, without the pools and retries that requests wraps around it."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    text = str(error if reason is None else reason)
    return text.partition("): ")[2] or text if reason is not None else text

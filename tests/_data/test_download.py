"""Every download ends: by the whole file, or by an error of our own at a limit of bytes, pace or time."""

from __future__ import annotations

import gzip
import hashlib
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
import requests  # noqa: F401  (importing it takes time, which the limits of a test must not count)

from sc_annotate._core.settings import settings
from sc_annotate._data import download, partial, transfer
from sc_annotate._data.download import DATA, LIST, MODEL, fetch
from sc_annotate.errors import DownloadError, InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CONTENT = os.urandom(200_000)
KB = 2**10


class Server:
    """Answers as `answer` says, and remembers the headers of each request."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.answer: Callable[[BaseHTTPRequestHandler], None] = whole
        self.stop = threading.Event()
        self.url = ""


def whole(handler: BaseHTTPRequestHandler, content: bytes = CONTENT, **headers: str) -> None:
    handler.send_response(200)
    for name, value in ({"Content_Length": str(len(content))} | headers).items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(content)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv(download.CACHE_VARIABLE, str(tmp_path / "cache"))
    made = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append({name.lower(): value for name, value in self.headers.items()})
            try:
                made.answer(self)
            except OSError:
                pass  # the other side went away

        def log_message(self, *_: Any) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, *_: Any) -> None:
            pass  # the other side went away

    with Quiet(("127.0.0.1", 0), Handler) as running:
        running.daemon_threads = True
        made.url = f"http://127.0.0.1:{running.server_address[1]}/file.bin"
        thread = threading.Thread(target=lambda: running.serve_forever(0.02), daemon=True)
        thread.start()
        yield made
        made.stop.set()
        running.shutdown()
        thread.join()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits of pace that a test can wait for; others keep the usual ones, as a busy machine may pause."""
    monkeypatch.setattr(transfer, "PACE", 0.5)
    monkeypatch.setattr(transfer, "ANSWER", 0.5)


def get(server: Server, **more: Any) -> bytes:
    settled = {"sha256": None, "refresh": False, "check": lambda _: None} | more
    return fetch(server.url, **settled).read_bytes()


def cache() -> list[str]:
    return sorted(path.name for path in download.cache_folder().iterdir())


def test_the_whole_file(server: Server) -> None:
    assert get(server) == CONTENT
    assert get(server) == CONTENT
    assert len(server.asked) == 1
    assert server.asked[0]["accept-encoding"] == "identity"
    assert [name.partition("-")[2] for name in cache()] == ["file.bin", "file.bin.json"]


def test_an_empty_file(server: Server) -> None:
    server.answer = lambda handler: whole(handler, b"")
    assert get(server) == b""


# ---- bytes


def endless(handler: BaseHTTPRequestHandler, server: Server, sent: list[int], **headers: str) -> None:
    handler.send_response(200)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    while not server.stop.is_set() and sent[0] < 2**30:
        handler.wfile.write(b"\0" * 2**16)
        sent[0] += 2**16


@pytest.mark.parametrize("chunked", [False, True])
def test_a_file_without_an_end(server: Server, chunked: bool) -> None:
    sent = [0]

    def answer(handler: BaseHTTPRequestHandler) -> None:
        if not chunked:
            return endless(handler, server, sent)
        handler.protocol_version = "HTTP/1.1"
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        while not server.stop.is_set():
            handler.wfile.write(b"10000\r\n" + b"\0" * 2**16 + b"\r\n")
            sent[0] += 2**16

    server.answer = answer
    with settings.override(max_download_bytes=10**6):
        with pytest.raises(DownloadError, match="more than 1,000,000 bytes, the limit of settings.max_download_bytes"):
            get(server)
    assert sent[0] < 50 * 10**6
    assert cache() == []


def test_a_length_that_is_too_large_is_not_read(server: Server) -> None:
    server.answer = lambda handler: whole(handler, Content_Length="1000000001")
    with pytest.raises(DownloadError, match="more than 500,000,000 bytes"):
        get(server)
    with pytest.raises(DownloadError, match="more than 250,000,000 bytes"):
        get(server, kind=MODEL)
    with pytest.raises(DownloadError, match="more than 4,000,000 bytes, the limit of a list"):
        get(server, kind=LIST)
    with settings.override(max_download_bytes=1000):
        with pytest.raises(DownloadError, match="more than 1,000 bytes, the limit of settings"):
            get(server, kind=LIST)
    assert DATA.limits().bytes == 500 * 10**6


def test_a_length_that_lies(server: Server) -> None:
    """More than stated is not read; less is a broken transfer."""
    server.answer = lambda handler: whole(handler, Content_Length="100")
    assert get(server) == CONTENT[:100]

    def short(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "300000")
        handler.end_headers()
        handler.wfile.write(CONTENT)

    server.answer = short
    with pytest.raises(DownloadError, match="IncompleteRead|ended after 200,000 of 300,000 bytes"):
        get(server, refresh=True)
    assert get(server) == CONTENT[:100]
    assert len(cache()) == 2


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_what_is_packed_on_the_way(server: Server, encoding: str) -> None:
    import zlib

    pack = gzip.compress if encoding == "gzip" else zlib.compress
    server.answer = lambda handler: whole(handler, pack(CONTENT), Content_Encoding=encoding, ETag='"a"')
    assert get(server) == CONTENT
    bomb = pack(b"\0" * 20_000_000)
    server.answer = lambda handler: whole(handler, bomb, Content_Encoding=encoding)
    with settings.override(max_download_bytes=10**6):
        with pytest.raises(DownloadError, match="more than 1,000,000 bytes"):
            get(server, refresh=True)
    for packed, reason in [
        (b"none", "does not match its encoding"),
        (pack(CONTENT)[:-9], "before the compressed data did"),
    ]:
        server.answer = lambda handler, packed=packed: whole(handler, packed, Content_Encoding=encoding)
        with pytest.raises(DownloadError, match=reason):
            get(server, refresh=True)
    server.answer = lambda handler: whole(handler, pack(CONTENT) + b"more", Content_Encoding=encoding)
    with pytest.raises(DownloadError, match="after the end"):
        get(server, refresh=True)
    assert get(server) == CONTENT


@pytest.mark.parametrize("encoding", ["gzip, gzip", "br", "zstd"])
def test_other_ways_to_pack(server: Server, encoding: str) -> None:
    server.answer = lambda handler: whole(handler, Content_Encoding=encoding)
    with pytest.raises(DownloadError, match="encoding .* is not supported"):
        get(server)


# ---- pace and time


def drip(server: Server, start: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(start)
        while not server.stop.wait(0.05):
            handler.wfile.write(b"x")
            handler.wfile.flush()

    return answer


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("start", "reason"),
    [
        (b"HTTP/1.0 200 OK\r\nContent-Length: 1000000\r\n\r\n", "less than 16 KB|no answer within"),
        (b"HTTP/1.0 200 OK\r\n\r\n", "less than 16 KB|no answer within"),
        (b"HTTP/1.0 200 OK\r\nX-Header: ", "no answer within"),
        (b"", "no answer within|BadStatusLine|timed out"),
    ],
)
def test_a_byte_now_and_then(server: Server, start: bytes, reason: str) -> None:
    server.answer = drip(server, start)
    began = time.monotonic()
    with pytest.raises(DownloadError, match=reason):
        get(server)
    assert time.monotonic() - began < 15
    assert cache() == []


def test_a_deadline_for_the_whole(server: Server) -> None:
    sent = [0]

    def steady(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not server.stop.wait(0.05):
            handler.wfile.write(b"\0" * transfer.BLOCK)
            sent[0] += 1

    server.answer = steady
    with settings.override(max_download_seconds=1):
        with pytest.raises(DownloadError, match="longer than settings.max_download_seconds"):
            get(server)
    server.answer = lambda handler: endless(handler, server, sent)
    with settings.override(max_download_seconds=0.5):
        with pytest.raises(DownloadError, match="longer than settings.max_download_seconds"):
            get(server)


def test_an_interrupt_ends_it_at_once(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the bytes so far stay for the next call."""

    def interrupted(self: Any, have: int) -> Iterator[bytes]:
        yield CONTENT[: 2 * transfer.BLOCK]
        raise KeyboardInterrupt

    server.answer = ranged(CONTENT, '"a"')
    with monkeypatch.context() as patch:
        patch.setattr(transfer.Transfer, "blocks", interrupted)
        with pytest.raises(KeyboardInterrupt):
            get(server)
    assert get(server) == CONTENT
    assert server.asked[1]["range"] == f"bytes={2 * transfer.BLOCK}-"


# ---- broken transfers


def ranged(
    content: bytes, tag: str | None, *, breaks: int | None = None, ignores: bool = False, shift: int = 0
) -> Callable[[BaseHTTPRequestHandler], None]:
    """Ranges as a server has them that knows one version of a file; `breaks` after so many bytes."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        start = 0
        if (text := handler.headers.get("Range")) and (ignores or handler.headers.get("If-Range") == tag):
            start = int(text.removeprefix("bytes=").removesuffix("-"))
        handler.send_response(206 if start else 200)
        if tag is not None:
            handler.send_header("ETag" if tag.startswith(('"', "W/")) else "Last-Modified", tag)
        if start:
            handler.send_header("Content-Range", f"bytes {start + shift}-{len(content) - 1}/{len(content)}")
        handler.send_header("Content-Length", str(len(content) - start))
        handler.end_headers()
        handler.wfile.write(content[start : None if breaks is None else start + breaks])

    return answer


def test_a_broken_transfer_goes_on(server: Server) -> None:
    server.answer = ranged(CONTENT, '"a"', breaks=90_000)
    assert get(server) == CONTENT
    assert [each.get("range") for each in server.asked][0] is None
    assert len(server.asked) == 3
    assert all(each["if-range"] == '"a"' for each in server.asked[1:])
    assert len(cache()) == 2


def test_it_goes_on_in_a_later_call(server: Server) -> None:
    server.answer = ranged(CONTENT, '"a"', breaks=40_000)
    with pytest.raises(DownloadError, match="no copy of it is kept here"):
        get(server)
    assert len(server.asked) == partial.ATTEMPTS
    (part,) = cache()
    assert part.endswith("file.bin.part")
    server.answer = ranged(CONTENT, '"a"')
    assert get(server) == CONTENT
    assert int(server.asked[-1]["range"].removeprefix("bytes=").removesuffix("-")) > 100_000
    assert len(cache()) == 2


OTHER = os.urandom(200_000)


@pytest.mark.parametrize(
    "later",
    [
        pytest.param(ranged(OTHER, '"b"'), id="another tag"),
        pytest.param(ranged(OTHER, '"b"', ignores=True), id="a range of another version"),
        pytest.param(ranged(OTHER, '"a"', shift=7), id="another range"),
        pytest.param(lambda handler: whole(handler, OTHER), id="no ranges"),
        pytest.param(ranged(OTHER[:1000], '"b"', ignores=True), id="a shorter file"),
    ],
)
def test_two_versions_are_never_joined(server: Server, later: Callable[[BaseHTTPRequestHandler], None]) -> None:
    server.answer = ranged(CONTENT, '"a"', breaks=40_000)
    with pytest.raises(DownloadError):
        get(server)
    begun = len(server.asked)

    def answer(handler: BaseHTTPRequestHandler) -> None:
        # A server may answer a range wrongly, but what is asked for whole comes whole.
        if "Range" not in handler.headers and begun + 1 < len(server.asked):
            whole(handler, OTHER)
        else:
            later(handler)

    server.answer = answer
    assert get(server) == OTHER


def test_the_checksum_decides_in_the_end(server: Server) -> None:
    """A server that says nothing of another version is found out, and the file is got anew."""
    sha256 = hashlib.sha256(OTHER).hexdigest()
    server.answer = ranged(CONTENT, '"a"', breaks=40_000)
    with pytest.raises(DownloadError):
        get(server, sha256=sha256)
    server.answer = ranged(OTHER, '"a"')
    assert get(server, sha256=sha256) == OTHER
    server.answer = ranged(CONTENT, '"a"')
    with pytest.raises(DownloadError, match="another file than the requested one"):
        get(server, sha256="0" * 64)
    assert get(server) == OTHER


def test_what_cannot_be_gone_on_with_is_not_kept(server: Server) -> None:
    """No tag, a weak one, or a date alone."""
    date = "Mon, 01 Jan 2024 00:00:00 GMT"
    for tag in (None, 'W/"a"', date):
        server.answer = ranged(CONTENT, tag, breaks=40_000)
        with pytest.raises(DownloadError):
            get(server)
        assert cache() == []
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    server.answer = ranged(CONTENT, date, breaks=90_000)
    assert get(server, sha256=sha256) == CONTENT, "a date will do where a checksum decides"


def test_what_is_left_behind_is_cleaned(server: Server) -> None:
    folder = download.cache_folder()
    for i in range(8):
        left = folder / f".{i}-file.part"
        left.mkdir(parents=True)
        (left / "data").write_bytes(b"x")
        for path in (left / "data", left):
            os.utime(path, (time.time() - i * 3600,) * 2)
    killed = folder / ".download-abc"
    killed.mkdir()
    (killed / "data").write_bytes(b"x")
    for path in (killed / "data", killed):
        os.utime(path, (time.time() - 4 * 86_400,) * 2)
    assert get(server) == CONTENT
    assert [name for name in cache() if name.startswith(".")] == [f".{i}-file.part" for i in range(partial.MOST_KEPT)]


def test_many_at_once_get_the_whole_file(server: Server) -> None:
    server.answer = ranged(CONTENT, '"a"', breaks=90_000)
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(get(server, refresh=True))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [CONTENT] * 6
    assert len(cache()) == 2


# ---- redirects


def test_redirects_are_checked(server: Server) -> None:
    def to(where: str) -> Callable[[BaseHTTPRequestHandler], None]:
        def answer(handler: BaseHTTPRequestHandler) -> None:
            if handler.path == "/there":
                return whole(handler)
            handler.send_response(302)
            handler.send_header("Location", where)
            handler.end_headers()
            # An endless text beside it is not read.
            while not server.stop.is_set():
                handler.wfile.write(b"\0" * 2**16)

        return answer

    server.answer = to("/there")
    assert get(server) == CONTENT
    server.answer = to("/file.bin")
    with pytest.raises(DownloadError, match="more than 5 redirects"):
        get(server, refresh=True)
    for where in ("ftp://lab.example/m", "file:///etc/passwd", "http://lab.example/m"):
        server.answer = to(where)
        with pytest.raises(InputError, match="only http and https|not https"):
            get(server, refresh=True)


def test_no_other_machine_leads_to_this_one() -> None:
    from sc_annotate._data.addresses import check_url

    check_url("http://localhost:8000/m", checked=False, after="http://127.0.0.1/m")
    for where in (
        *("http://localhost/m", "https://127.0.0.1/m", "https://LOCALHOST./m", "https://127.1/m", "https://0.0.0.0/m"),
        *("https://2130706433/m", "https://[::1]/m", "https://[::ffff:127.0.0.1]/m", "https://169.254.169.254/latest"),
    ):
        with pytest.raises(InputError, match="an address of this machine"):
            check_url(where, checked=True, after="https://lab.example/m")
    with pytest.raises(InputError, match="no whole address"):
        check_url("https://lab.example:99999/m", checked=False)
    with pytest.raises(InputError, match="has 2,020 characters, more than") as caught:
        check_url("https://lab.example/" + "m" * 2000, checked=False)
    assert len(str(caught.value)) < 200
    with pytest.raises(InputError, match="not https"):
        check_url("http://169.254.1.1/m", checked=False)


def test_what_it_says_without_a_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(download.CACHE_VARIABLE, str(tmp_path))
    with pytest.raises(DownloadError, match=r"127.0.0.1:9/m' cannot be downloaded .* download it on another machine"):
        fetch("http://127.0.0.1:9/m", sha256=None, refresh=False, check=lambda _: None)
    assert list(tmp_path.iterdir()) == []

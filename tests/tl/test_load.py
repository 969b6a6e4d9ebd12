"""Models from files, addresses and lists of shared models; addresses are served on this machine."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import sc_annotate as sca
from sc_annotate._data import addresses, download
from sc_annotate.cli import main
from sc_annotate.errors import DownloadError, InputError, ModelFileError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from anndata import AnnData

    from sc_annotate.tl import AnnotationModel


class Web:
    """A folder that is served, and what was asked for."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.address, self.asked = folder, f"http://127.0.0.1:{port}", list[str]()

    def put(self, name: str, content: bytes | str) -> str:
        """Serve some content; its sha256."""
        content = content.encode() if isinstance(content, str) else content
        (self.folder / name).write_bytes(content)
        return hashlib.sha256(content).hexdigest()


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    folder = tmp_path / "web"
    folder.mkdir()
    monkeypatch.setenv(download.CACHE_VARIABLE, str(tmp_path / "kept" / "here"))

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked.append(self.path)
            if self.path.startswith("/away"):
                self.send_response(302)
                self.send_header("Location", self.path.partition("?")[2])
                self.end_headers()
                return
            super().do_GET()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder))) as server:
        served = Web(folder, server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield served
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def models(_pbmc: AnnData, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[AnnotationModel, bytes]]:
    """Two models and their files."""
    folder, out = tmp_path_factory.mktemp("models"), []
    for n in (700, 600):
        model = sca.tl.fit_annotator(_pbmc[:n].copy(), "cell_type", method="nearest_centroid", cv=0, trust=None)
        out.append((model, model.save(folder / f"{n}.safetensors").read_bytes()))
    assert out[0][0].id != out[1][0].id
    return out


Models = list[tuple[Any, bytes]]


def test_an_address_is_downloaded_once(web: Web, models: Models, caplog: pytest.LogCaptureFixture) -> None:
    sha256 = web.put("m.safetensors", models[0][1])
    url = f"{web.address}/m.safetensors"
    assert sca.load(url).id == models[0][0].id
    assert f"sha256='{sha256}'" in caplog.text
    assert sca.load(url).id == models[0][0].id
    assert sca.load(url, sha256=sha256).id == models[0][0].id
    assert sca.load(url, sha256=f"sha256:{sha256.upper()}").id == models[0][0].id
    assert web.asked == ["/m.safetensors"]


def test_a_changed_file_is_taken_on_request_only(web: Web, models: Models, caplog: pytest.LogCaptureFixture) -> None:
    url = f"{web.address}/m.safetensors"
    first = web.put("m.safetensors", models[0][1])
    sca.load(url)
    second = web.put("m.safetensors", models[1][1])
    assert sca.load(url).id == models[0][0].id
    with pytest.raises(DownloadError, match=f"its sha256 is {second}, not {first}"):
        sca.load(url, sha256=first, refresh=True)
    assert sca.load(url).id == models[0][0].id, "a file that is not the one asked for replaces nothing"
    caplog.clear()
    assert sca.load(url, refresh=True).id == models[1][0].id
    assert f"another file than before: its sha256 is {second}, and was {first}" in caplog.text
    assert sca.load(url, sha256=second).id == models[1][0].id
    with pytest.raises(DownloadError, match="another file than the requested one"):
        sca.load(url, sha256=first)


def test_another_checksum_is_downloaded_for(web: Web, models: Models) -> None:
    """Whoever pins the new file gets it, though an older one is kept."""
    url = f"{web.address}/m.safetensors"
    web.put("m.safetensors", models[0][1])
    sca.load(url)
    assert sca.load(url, sha256=web.put("m.safetensors", models[1][1])).id == models[1][0].id


def test_without_a_connection(web: Web, models: Models) -> None:
    web.put("m.safetensors", models[0][1])
    sca.load(f"{web.address}/m.safetensors")
    (web.folder / "m.safetensors").unlink()
    assert sca.load(f"{web.address}/m.safetensors").id == models[0][0].id
    with pytest.raises(DownloadError, match="cannot be downloaded"):
        sca.load(f"{web.address}/m.safetensors", refresh=True)
    assert sca.load(f"{web.address}/m.safetensors").id == models[0][0].id
    with pytest.raises(DownloadError, match=r"cannot be downloaded \(HTTPError: 404"):
        sca.load(f"{web.address}/other.safetensors")
    with pytest.raises(DownloadError, match=r"cannot be downloaded \(ConnectionError"):
        sca.load("http://127.0.0.1:9/m.safetensors")


def test_what_is_kept_and_damaged_is_downloaded_again(web: Web, models: Models) -> None:
    url = f"{web.address}/m.safetensors"
    web.put("m.safetensors", models[0][1])
    sca.load(url)
    path = download.kept(url).path
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")
    assert sca.load(url).id == models[0][0].id
    assert len(web.asked) == 2


@pytest.mark.parametrize("content", [b"<html>Please log in</html>", b"\x80\x04\x95abc", b""])
def test_what_is_no_model_is_not_kept(web: Web, content: bytes) -> None:
    web.put("m.safetensors", content)
    url = f"{web.address}/m.safetensors"
    with pytest.raises(ModelFileError, match="was downloaded and not kept: it is"):
        sca.load(url)
    assert list(download.cache_folder().iterdir()) == []


@pytest.mark.parametrize(
    "url",
    [
        *("http://lab.example/m.safetensors", "ftp://lab.example/m", "file:///etc/passwd", "https://"),
        *("https://[lab/m.safetensors", "https://\ud800.example/m"),
    ],
)
def test_addresses_that_are_refused(url: str) -> None:
    with pytest.raises(InputError, match=r"not https|only http and https|no whole address"):
        sca.load(url)


def test_a_host_that_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(download.CACHE_VARIABLE, str(tmp_path))
    with pytest.raises(DownloadError, match="cannot be downloaded"):
        sca.load(f"https://{'a' * 300}.example/m")


def test_http_goes_with_a_checksum_only(web: Web, models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    sha256 = web.put("m.safetensors", models[0][1])
    monkeypatch.setattr(addresses, "is_here", lambda host, linked=False: False)
    with pytest.raises(InputError, match="not https"):
        sca.load(f"{web.address}/m.safetensors")
    assert web.asked == []
    assert sca.load(f"{web.address}/m.safetensors", sha256=sha256).id == models[0][0].id


def test_an_address_that_leads_on_to_another(web: Web, models: Models) -> None:
    sha256 = web.put("m.safetensors", models[0][1])
    assert sca.load(f"{web.address}/away?/m.safetensors", sha256=sha256).id == models[0][0].id
    # To another host by http: refused before it is asked, and no connection is made.
    with pytest.raises(InputError, match="not https"):
        sca.load(f"{web.address}/away?http://lab.example/m.safetensors")


@pytest.mark.parametrize("sha256", ["abc", "", 3, "g" * 64])
def test_what_is_no_checksum(sha256: Any) -> None:
    with pytest.raises(InputError, match="64 hexadecimal digits"):
        sca.load("https://lab.example/m.safetensors", sha256=sha256)


def test_a_path_with_a_checksum(models: Models, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(models[0][1])
    assert sca.load(path, sha256=download.sha256_of(path)).id == models[0][0].id
    with pytest.raises(ModelFileError, match="another file than the requested one"):
        sca.load(path, sha256="0" * 64)
    with pytest.raises(ModelFileError, match="there is no model file"):
        sca.load(tmp_path / "none.safetensors", sha256="0" * 64)
    with pytest.raises(ModelFileError, match=r"needs its list: sca.load\('pbmc', registry=...\)"):
        sca.load("pbmc")
    with pytest.raises(InputError, match="must be a path"):
        sca.load(3)  # type: ignore[arg-type]


# ---- lists of models


def test_a_list_on_the_web(web: Web, models: Models, caplog: pytest.LogCaptureFixture) -> None:
    sha256 = web.put("blood.safetensors", models[0][1])
    web.put(
        "models.txt",
        f"# ours\n\npbmc {sha256} blood.safetensors # relative\n'two words' {sha256} {web.address}/blood.safetensors\n",
    )
    registry = f"{web.address}/models.txt"
    assert sca.load("pbmc", registry=registry).id == models[0][0].id
    assert sca.load("two words", registry=registry).id == models[0][0].id
    assert "pass sha256" not in caplog.text, "the list pins it"
    # The list may go on; a model of it is the one that it names.
    second = web.put("blood.safetensors", models[1][1])
    assert sca.load("pbmc", registry=registry).id == models[0][0].id
    web.put("models.txt", f"pbmc {second} blood.safetensors\n")
    assert sca.load("pbmc", registry=registry).id == models[1][0].id
    # Without a connection both are as they were.
    (web.folder / "models.txt").unlink()
    assert sca.load("pbmc", registry=registry).id == models[1][0].id
    assert "the last copy is used" in caplog.text
    with pytest.raises(DownloadError, match="cannot be downloaded"):
        sca.load("pbmc", registry=f"{web.address}/none.txt")


def test_a_list_in_a_file(models: Models, tmp_path: Path) -> None:
    (tmp_path / "blood.safetensors").write_bytes(models[0][1])
    sha256 = download.sha256_of(tmp_path / "blood.safetensors")
    (tmp_path / "models.txt").write_text(f"pbmc {sha256} blood.safetensors\nkidney {'0' * 64} blood.safetensors\n")
    registry = tmp_path / "models.txt"
    assert sca.load("pbmc", registry=registry).id == models[0][0].id
    with pytest.raises(ModelFileError, match="another file than the requested one"):
        sca.load("kidney", registry=registry)
    with pytest.raises(InputError, match="Did you mean 'pbmc'"):
        sca.load("pbmcs", registry=registry)
    with pytest.raises(InputError, match="It has: 'pbmc', 'kidney'"):
        sca.load("heart", registry=registry)
    with pytest.raises(InputError, match="leave sha256 out"):
        sca.load("pbmc", registry=registry, sha256="0" * 64)
    with pytest.raises(InputError, match="there is no list of models"):
        sca.load("pbmc", registry=tmp_path / "none.txt")


@pytest.mark.parametrize(
    "text",
    [
        "pbmc",
        f"pbmc {'0' * 64}",
        "pbmc abc m",
        f"pbmc {'0' * 64} a b",
        f"p {'0' * 64} m\np {'0' * 64} m",
        "'pbmc",
        b"\xff\xfe",
        f"'' {'0' * 64} m",
        f"pbmc {'0' * 64} ''",
    ],
)
def test_what_is_no_list(text: str | bytes, tmp_path: Path) -> None:
    (tmp_path / "models.txt").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match="is not a list of models"):
        sca.load("pbmc", registry=tmp_path / "models.txt")


def test_a_list_that_an_editor_marked(models: Models, tmp_path: Path) -> None:
    """Some editors put a byte order mark before the text, and end lines in another way."""
    (tmp_path / "m").write_bytes(models[0][1])
    sha256 = hashlib.sha256(models[0][1]).hexdigest()
    for text in (f"pbmc {sha256} m\r\n", f"# ours\r\npbmc\t{sha256}\tm"):
        (tmp_path / "models.txt").write_text(text, encoding="utf-8-sig", newline="")
        assert sca.load("pbmc", registry=tmp_path / "models.txt").id == models[0][0].id


@pytest.mark.parametrize("registry", [5, True, b"models.txt", []])
def test_what_is_no_registry(registry: Any) -> None:
    with pytest.raises(InputError, match="must be the path or address of a list"):
        sca.load("pbmc", registry=registry)


def test_a_web_page_in_the_place_of_a_list(web: Web, models: Models) -> None:
    """A sign-in page must not take the place of the list that is kept."""
    sha256 = web.put("m.safetensors", models[0][1])
    web.put("models.txt", f"pbmc {sha256} m.safetensors\n")
    sca.load("pbmc", registry=f"{web.address}/models.txt")
    web.put("models.txt", "<html>Please log in</html>")
    with pytest.raises(InputError, match="is not a list of models"):
        sca.load("pbmc", registry=f"{web.address}/models.txt")


# ---- the folder of downloads


def test_a_folder_that_cannot_be_used(
    web: Web, models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    web.put("m.safetensors", models[0][1])
    (tmp_path / "file").write_text("no folder")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        monkeypatch.setenv(download.CACHE_VARIABLE, str(place))
        with pytest.raises(InputError, match=f"cannot be kept in .*{download.CACHE_VARIABLE}"):
            sca.load(f"{web.address}/m.safetensors")


def test_others_may_read_what_is_kept(web: Web, models: Models, tmp_path: Path) -> None:
    """The folder may be one that a lab shares."""
    web.put("m.safetensors", models[0][1])
    sca.load(f"{web.address}/m.safetensors")
    (tmp_path / "any").touch()
    assert {p.stat().st_mode for p in download.cache_folder().iterdir()} == {(tmp_path / "any").stat().st_mode}


def test_a_long_name_in_another_script(web: Web, models: Models) -> None:
    """A name of a file has at most 255 bytes, and each of these characters has three."""
    name = "細" * 80
    web.put(name, models[0][1])
    assert sca.load(f"{web.address}/{name}").id == models[0][0].id
    assert sca.load(f"{web.address}/{'%E7%B4%B0' * 80}").id == models[0][0].id


def test_a_cached_copy_is_logged(web: Web, models: Models) -> None:
    sha256 = web.put("m.safetensors", models[0][1])
    url = f"{web.address}/m.safetensors"
    sca.load(url)
    (web.folder / "m.safetensors").unlink()
    with pytest.raises(DownloadError, match=f"404.*the copy kept here has sha256 {sha256}"):
        sca.load(url, refresh=True)
    assert sca.load(url, sha256=sha256).id == models[0][0].id


@pytest.mark.once
@pytest.mark.slow
def test_two_processes_at_once(web: Web, models: Models) -> None:
    """Each gets a whole model, and leaves no half files behind."""
    web.put("m.safetensors", models[0][1])
    code = f"import sc_annotate as sca\nfor _ in range(20): print(sca.load('{web.address}/m.safetensors', refresh=True).id)"
    running = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for process in running:
        out, err = process.communicate(timeout=600)
        assert process.returncode == 0, err
        assert out.split() == [models[0][0].id] * 20
    assert len(list(download.cache_folder().iterdir())) == 2


# ---- the ways in


def test_annotate_and_the_command_line_take_addresses(
    web: Web, models: Models, pbmc: AnnData, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    web.put("m.safetensors", models[0][1])
    url, other = f"{web.address}/m.safetensors", pbmc.copy()
    sca.tl.annotate(pbmc, url)
    sca.tl.annotate(other, models[0][0])
    np.testing.assert_allclose(pbmc.obsm["annotation_proba"], other.obsm["annotation_proba"], atol=1e-6)
    pbmc.write_h5ad(tmp_path / "q.h5ad")
    assert main(["info", url]) == 0
    assert models[0][0].id in capsys.readouterr().out
    assert main(["annotate", str(tmp_path / "q.h5ad"), str(tmp_path / "out.h5ad"), "--model", url]) == 0


def test_the_folder_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(download.CACHE_VARIABLE, raising=False)
    assert download.cache_folder().name == "sc_annotate"
    assert not addresses.is_url("C:/models/m.safetensors")
    assert not addresses.is_url("m.safetensors")

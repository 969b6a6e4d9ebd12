"""Models of CellTypist by name, from a server on this machine that serves the same kinds of files."""

from __future__ import annotations

import hashlib
import json
import pickle
import threading
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.linear_model import SGDClassifier
from sklearn.preprocessing import StandardScaler

import sc_annotate as sca
from sc_annotate._data import download
from sc_annotate.cli import main
from sc_annotate.errors import DownloadError, InputError, ModelFileError
from sc_annotate.interop import celltypist_hub

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anndata import AnnData

NAMES = ("Immune_All_Low.pkl", "Immune_All_High.pkl", "Cells_Lung_Airway.pkl")
LOW = f"celltypist:{NAMES[0]}"


def pickled(adata: AnnData, seed: int = 0) -> bytes:
    """What ``celltypist.models.Model.write`` pickles."""
    scaler = StandardScaler().fit(adata.X.toarray())
    X = np.minimum(scaler.transform(adata.X.toarray()), 10)
    classifier = SGDClassifier(loss="log_loss", random_state=seed).fit(X, adata.obs["cell_type"].astype(str))
    classifier.features = np.array(adata.var_names, dtype=object)
    description = {"date": "2022-07-16", "details": "blood", "version": "v2", "number_celltypes": 10}
    return pickle.dumps({"Model": classifier, "Scaler_": scaler, "description": description})


@pytest.fixture(scope="module")
def pickles(_pbmc: AnnData) -> list[bytes]:
    return [pickled(_pbmc[:, :120].copy(), seed) for seed in (0, 1)]


class Hub:
    """A folder that is served, with a list of models, and what was asked for."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.asked = folder, list[str]()
        self.index = f"http://127.0.0.1:{port}/models/models.json"
        self.listed: list[dict[str, Any]] = [
            {
                "filename": name,
                "url": f"http://127.0.0.1:{port}/models/{name}",
                "version": "v2",
                "date": "2022-07-16 00:20:42.927778",
                "details": f"immune cells of\n\x1b[31m tissues {i}",
                "No_celltypes": str(98 + i),
                "source": "https://doi.org/10.1126/science.abl5197",
                **({"default": True} if i == 0 else {}),
            }
            for i, name in enumerate(NAMES)
        ]
        self.write()

    def write(self, content: Any = None) -> None:
        place = self.folder / "models" / "models.json"
        place.parent.mkdir(exist_ok=True)
        place.write_text(json.dumps({"models": self.listed}) if content is None else content)

    def put(self, name: str, content: bytes) -> str:
        (self.folder / "models" / name).write_bytes(content)
        return hashlib.sha256(content).hexdigest()


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    folder = tmp_path / "web"
    folder.mkdir()
    monkeypatch.setenv(download.CACHE_VARIABLE, str(tmp_path / "cache"))

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked.append(Path(self.path).name)
            super().do_GET()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder))) as server:
        served = Hub(folder, server.server_address[1])
        monkeypatch.setenv(celltypist_hub.INDEX_VARIABLE, served.index)
        thread = threading.Thread(target=lambda: server.serve_forever(0.02), daemon=True)
        thread.start()
        yield served
        server.shutdown()
        thread.join()


def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """No connection to any machine, and no pickle is read."""

    def refused(*_: Any, **__: Any) -> None:
        raise AssertionError("asked for")

    monkeypatch.setattr("sc_annotate._data.partial.Transfer", refused)
    monkeypatch.setattr("sc_annotate.annotation.load_celltypist.from_file", refused)


def test_available_lists_what_is_published(hub: Hub) -> None:
    table = sca.models.available()
    assert table["name"].tolist() == list(NAMES)
    assert table["n_types"].tolist() == [98, 99, 100]
    assert table["default"].tolist() == [True, False, False]
    assert table["details"][0] == "immune cells of [31m tissues 0"
    assert not table["kept"].any()
    assert table["url"][0].endswith(NAMES[0])
    hub.listed = hub.listed[:1]
    hub.write()
    assert len(sca.models.available()) == 3, "the list is cached"
    assert hub.asked == ["models.json"]
    assert len(sca.models.available("celltypist", refresh=True)) == 1


def test_a_list_of_another_machine_does_not_lead_to_this_one(
    hub: Hub, pickles: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.put(NAMES[0], pickles[0])
    known = celltypist_hub.listed(refresh=False)
    monkeypatch.setattr(celltypist_hub, "listed", lambda **_: known)
    monkeypatch.setenv(celltypist_hub.INDEX_VARIABLE, "https://models.example.org/models.json")
    with pytest.raises(InputError, match="address of this machine"):
        sca.load(LOW)
    assert hub.asked == ["models.json"]


@pytest.mark.parametrize(
    "url",
    [
        *("https://other.example/a.pkl", "//other.example/a.pkl", "file:///etc/passwd", "ftp://127.0.0.1/a.pkl", "data:,x"),
        *("https://127.1/a.pkl", "https://169.254.169.254/a.pkl", "https://me:pw@other.example/a.pkl", "http://[::1", "x" * 9000),
    ],
)  # fmt: skip
def test_a_list_leads_to_no_third_machine_and_to_no_file(hub: Hub, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    def only_here(host: str, *_: Any, **__: Any) -> Any:
        assert host == "127.0.0.1", host
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, int(hub.index.split(":")[2].split("/")[0])))]

    monkeypatch.setattr(socket, "getaddrinfo", only_here)
    hub.listed = [hub.listed[0] | {"url": url}]
    hub.write()
    with pytest.raises(InputError) as caught:
        sca.load(LOW)
    assert len(str(caught.value)) < 500
    assert "me:pw" not in str(caught.value)
    assert hub.asked == ["models.json"]
    kept = {path.name.partition("-")[2] for path in download.cache_folder().iterdir()}
    assert kept <= {"models.json", "models.json.json"}


def test_a_mirror_may_lead_to_where_celltypist_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(celltypist_hub.INDEX_VARIABLE, "https://mirror.example/models.json")
    known = celltypist_hub.Listed("a.pkl", "", "", None, "", "", "", default=False)
    for url in ("https://mirror.example/a.pkl", celltypist_hub.INDEX.replace("models.json", "a.pkl")):
        celltypist_hub.check_address(replace(known, url=url), checked=False)


@pytest.mark.parametrize(
    "name",
    [
        *("../x", "/etc/passwd", "..%2f..%2fx", "%2e%2e/x", "a\0b", "a\nb", "a.pkl/../../x", "\udc80", "..", ".", " ", "~root/x", "a?x#y"),
        *("celltypist:a", "http://other.example/x.pkl", "file:///etc/passwd", "..\\x", "a.pkl\x1b[31m", "x" * 100_000),
    ],
)  # fmt: skip
def test_a_name_is_no_path_and_no_address(hub: Hub, name: str, tmp_path: Path) -> None:
    before = {path for path in tmp_path.rglob("*") if "cache" not in path.parts}
    with pytest.raises(InputError, match="CellTypist has no model") as caught:
        sca.load(f"celltypist:{name}")
    assert len(str(caught.value)) < 600
    assert str(caught.value).isprintable()
    assert set(hub.asked) == {"models.json"}
    assert {path for path in tmp_path.rglob("*") if "cache" not in path.parts} == before


@pytest.mark.parametrize("note", ["[" * 100_000, '{"sha256": "../../x"}', '{"sha256": 5}', "\xff", "", "[]"])
def test_a_damaged_note_is_no_note(hub: Hub, pickles: list[bytes], note: str) -> None:
    hub.put(NAMES[0], pickles[0])
    model = sca.load(LOW)
    celltypist_hub._note(NAMES[0]).write_text(note, encoding="latin-1")
    assert not sca.models.available()["kept"].any()
    assert sca.load(LOW).id == model.id


def test_a_login_is_not_passed_on(hub: Hub, pickles: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    hub.listed[0]["url"] = NAMES[0]
    hub.write()
    hub.put(NAMES[0], pickles[0])
    monkeypatch.setenv(celltypist_hub.INDEX_VARIABLE, hub.index.replace("//", "//me:secret@"))
    origin = sca.load(LOW).provenance.converted_from
    assert origin["url"] == hub.index.replace("models.json", NAMES[0])
    with pytest.raises(InputError) as caught:
        sca.load("celltypist:Other")
    assert "secret" not in str(caught.value)


def test_a_name_is_a_reference(
    hub: Hub, pickles: list[bytes], pbmc: AnnData, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sha256 = hub.put(NAMES[0], pickles[0])
    sca.tl.annotate(pbmc, LOW)
    assert f"sca.load({LOW!r}, sha256={sha256!r})" in caplog.text
    (hub.folder / "m.pkl").write_bytes(pickles[0])
    direct = sca.tl.convert_celltypist(hub.folder / "m.pkl", trust_pickle=True)
    sca.tl.annotate(pbmc, direct, key_added="direct")
    assert (pbmc.obs["annotation"] == pbmc.obs["direct"]).all()
    origin = pbmc.uns["annotation"]["reference"]["converted_from"]
    assert origin["sha256"] == sha256
    assert origin["url"] == f"{hub.index.removesuffix('models.json')}{NAMES[0]}"
    assert (origin["source"], origin["version"]) == (NAMES[0], "v2")
    assert sha256 in str(sca.get.report(pbmc))
    assert hub.asked == ["models.json", NAMES[0]]
    assert [path.suffix for path in download.cache_folder().iterdir() if path.name.endswith((".pkl", ".part"))] == []
    # Without the suffix, without a connection, and without the pickle.
    offline(monkeypatch)
    again = sca.load(LOW.removesuffix(".pkl"))
    assert again.id == direct.id
    assert sca.load(LOW, sha256=sha256).provenance.converted_from["sha256"] == sha256
    sca.tl.annotate(pbmc, LOW, key_added="again")
    assert (pbmc.obs["again"] == pbmc.obs["direct"]).all()
    assert sca.models.available()["kept"].tolist() == [True, False, False]


def test_what_is_written_can_be_read(hub: Hub, pickles: list[bytes], pbmc: AnnData, tmp_path: Path) -> None:
    import anndata as ad

    sha256 = hub.put(NAMES[0], pickles[0])
    pbmc.write_h5ad(tmp_path / "q.h5ad")
    assert main(["annotate", str(tmp_path / "q.h5ad"), str(tmp_path / "out.h5ad"), "--model", LOW]) == 0
    back = ad.read_h5ad(tmp_path / "out.h5ad")
    assert back.uns["annotation"]["reference"]["converted_from"]["sha256"] == sha256
    assert main(["info", LOW]) == 0


def test_a_pinned_file(hub: Hub, pickles: list[bytes], caplog: pytest.LogCaptureFixture) -> None:
    first = hub.put(NAMES[0], pickles[0])
    one = sca.load(LOW, sha256=first)
    assert "downloaded; to have" not in caplog.text
    second = hub.put(NAMES[0], pickles[1])
    assert sca.load(LOW).id == one.id, "what is kept stays"
    other = sca.load(LOW, sha256=second)
    assert other.id != one.id
    assert sca.load(LOW, sha256=first).id == one.id, "both are kept"
    hub.put(NAMES[0], pickles[0])
    caplog.clear()
    assert sca.load(LOW, refresh=True).id == one.id
    assert f"another file than before: its sha256 is {first}, and was {second}" in caplog.text
    with pytest.raises(DownloadError, match=f"is not available.*its sha256 is {first}, not {'0' * 64}"):
        sca.load(LOW, sha256="0" * 64)


def test_unknown_names(hub: Hub, pickles: list[bytes], pbmc: AnnData) -> None:
    with pytest.raises(InputError, match="Did you mean 'celltypist:Immune_All_Low.pkl' or"):
        sca.tl.annotate(pbmc, "celltypist:immune_all_lo")
    with pytest.raises(InputError, match=r"sca.models.available\(\)` lists its 3 models"):
        sca.load("celltypist:")
    # A name is no path.
    (download.cache_folder() / "x.pkl.json").write_text(json.dumps({"sha256": "0" * 64}))
    with pytest.raises(InputError, match="CellTypist has no model"):
        sca.load("celltypist:/../x.pkl")
    # A model that was published since the list was downloaded is found.
    hub.listed.append(hub.listed[0] | {"filename": "New.pkl", "url": "New.pkl"})
    hub.write()
    hub.put("New.pkl", pickles[0])
    assert sca.load("celltypist:New").method == "celltypist"


def test_without_a_connection(hub: Hub, pbmc: AnnData, monkeypatch: pytest.MonkeyPatch) -> None:
    sca.models.available()
    (hub.folder / "models" / "models.json").unlink()
    assert len(sca.models.available()) == 3
    with pytest.raises(DownloadError, match="404.*the copy kept here"):
        sca.models.available(refresh=True)
    with pytest.raises(InputError, match="CellTypist has no model 'Other.pkl'"):
        sca.load("celltypist:Other")
    sentence = (
        r"the model 'celltypist:Immune_All_Low.pkl' is not available: 'http://127.*Immune_All_Low.pkl' cannot be downloaded .* no copy "
        r"of it is kept here. Without a connection: download the model on another machine .*convert_celltypist\(path"
    )
    with pytest.raises(DownloadError, match=sentence):
        sca.tl.annotate(pbmc, LOW)
    monkeypatch.setenv(celltypist_hub.INDEX_VARIABLE, "http://127.0.0.1:9/models.json")
    with pytest.raises(DownloadError, match=r"is not available: 'http://127.0.0.1:9/models.json' cannot be downloaded"):
        sca.tl.annotate(pbmc, LOW)
    assert "annotation" not in pbmc.uns


def test_arguments_of_a_fit_and_of_lists(hub: Hub, pickles: list[bytes], pbmc: AnnData) -> None:
    hub.put(NAMES[0], pickles[0])
    with pytest.raises(InputError, match="cv says how a model is fitted"):
        sca.tl.annotate(pbmc, LOW, cv=2)
    with pytest.raises(
        InputError, match="registry: 'celltypist:Immune_All_Low.pkl' is a name in CellTypist's own list"
    ):
        sca.load(LOW, registry="models.txt")
    with pytest.raises(InputError, match="source must be"):
        sca.models.available("scanpy")
    with pytest.raises(ModelFileError, match=r"A model that CellTypist publishes: 'celltypist:Immune_All_Low.pkl'"):
        sca.load("Immune_All_Low.pkl")


class Bomb:
    def __reduce__(self) -> Any:
        return print, ("boom",)


def test_what_is_no_model_is_not_kept(hub: Hub, pickles: list[bytes], capsys: pytest.CaptureFixture[str]) -> None:
    sca.models.available()
    before = sorted(download.cache_folder().iterdir())
    for content, reason in [
        (pickle.dumps(Bomb()), "builtins.print.*nothing in it was run"),
        (b"<html>Please log in</html>", "not kept: it"),
        (pickles[0][:-200], "not a complete pickle"),
        (b"", "not a complete pickle"),
    ]:
        hub.put(NAMES[0], content)
        with pytest.raises(ModelFileError, match=reason):
            sca.load(LOW)
        assert sorted(download.cache_folder().iterdir()) == before
    assert "boom" not in capsys.readouterr().out


def test_a_damaged_converted_model_is_made_anew(hub: Hub, pickles: list[bytes]) -> None:
    sha256 = hub.put(NAMES[0], pickles[0])
    model = sca.load(LOW)
    celltypist_hub.converted(sha256).write_bytes(b"damaged")
    assert sca.load(LOW).id == model.id
    assert sca.load(LOW).id == model.id
    assert hub.asked.count(NAMES[0]) == 2


ENTRY = {"filename": "a.pkl", "url": "a.pkl"}


@pytest.mark.parametrize(
    "content",
    [
        *("", "[]", "{}", "null", "<html>", '{"models": 3}', '{"models": []}', '{"models": [3]}', "[" * 100_000),
        json.dumps({"models": [{"filename": "a.pkl"}]}),
        json.dumps({"models": [ENTRY | {"filename": "../a.pkl"}]}),
        json.dumps({"models": [ENTRY | {"filename": "a.txt"}]}),
        json.dumps({"models": [ENTRY | {"url": None}]}),
        json.dumps({"models": [ENTRY] * 20_000}),
    ],
)
def test_what_is_no_list(hub: Hub, content: str) -> None:
    hub.write(content)
    with pytest.raises(InputError, match="is not a list of CellTypist's models"):
        sca.models.available()
    hub.write("x" * (download.MOST_BYTES_OF_A_LIST + 1))
    with pytest.raises(DownloadError, match="the limit of a list"):
        sca.models.available()


def test_values_that_are_missing(hub: Hub) -> None:
    hub.write(json.dumps({"models": [ENTRY | {"No_celltypes": 7, "default": "yes", "date": ["x"]}, ENTRY]}))
    table = sca.models.available()
    assert len(table) == 1
    assert table["n_types"].isna().all()
    assert not table["default"].any()


def test_an_address_of_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(celltypist_hub.INDEX_VARIABLE, "/shared/models.json")
    with pytest.raises(InputError, match="SC_ANNOTATE_CELLTYPIST_INDEX must be the https address"):
        sca.models.available()
    monkeypatch.setenv(celltypist_hub.INDEX_VARIABLE, "http://lab.example/models.json")
    with pytest.raises(InputError, match="not https"):
        sca.models.available()
    monkeypatch.delenv(celltypist_hub.INDEX_VARIABLE)
    assert celltypist_hub.index_address() == celltypist_hub.INDEX

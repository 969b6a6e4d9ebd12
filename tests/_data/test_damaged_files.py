"""Files that go away or are damaged while an object reads from them: our error that names them, or the right result."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import anndata as ad
import h5py
import numpy as np
import pytest
from scipy import sparse

import sc_annotate as sca
from sc_annotate.errors import InputError, MatrixError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name == "nt", reason="open files are neither cut nor deleted there")

FORMS: dict[str, Callable[[Any], Any]] = {
    "csr": sparse.csr_matrix,
    "csc": sparse.csc_matrix,
    "dense": lambda X: X.toarray(),
}


def cut(path: Path, adata: ad.AnnData) -> None:
    os.truncate(path, path.stat().st_size // 2)


def vanish(path: Path, adata: ad.AnnData) -> None:
    path.unlink()


def close(path: Path, adata: ad.AnnData) -> None:
    adata.file._file.close()


def vanish_closed(path: Path, adata: ad.AnnData) -> None:
    adata.file.close()
    path.unlink()


def overwrite(path: Path, adata: ad.AnnData) -> None:
    path.write_bytes(b"no file of this kind\n" * 100)


def damage(path: Path, adata: ad.AnnData) -> None:
    """Bytes in the middle of every chunk, which are compressed."""
    values = adata.file._file["X"] if isinstance(adata.file._file["X"], h5py.Dataset) else adata.file._file["X/data"]
    chunks = [values.id.get_chunk_info(i) for i in range(values.id.get_num_chunks())]
    with path.open("r+b") as file:
        for chunk in chunks:
            file.seek(chunk.byte_offset + chunk.size // 3)
            file.write(bytes(255 - byte for byte in range(20)))


FATES = {
    "cut": (cut, True),
    "vanish": (vanish, False),
    "close": (close, False),
    "vanish when closed": (vanish_closed, True),
    "overwrite": (overwrite, True),
    "damage": (damage, True),
}


@pytest.fixture(scope="module")
def simulated() -> tuple[ad.AnnData, Any]:
    cells = sca.datasets.simulate_reference(300, 120, 3)
    cells.obs["condition"] = np.resize(["control", "control", *cells.var_names[:2]], cells.n_obs)
    return cells, sca.tl.fit_annotator(cells, "cell_type", method="nearest_centroid", cv=0)


CALLS: dict[str, Callable[[ad.AnnData, Any], Any]] = {
    "annotate": lambda x, model: sca.tl.annotate(x, model),
    "fit": lambda x, model: sca.tl.fit_annotator(x, "cell_type", method="nearest_centroid", cv=0, max_cells=None),
    "inspect": lambda x, model: sca.pp.inspect(x),
    "profiles": lambda x, model: sca.pp.perturbation_profiles(x, "condition"),
    "markers": lambda x, model: sca.tl.annotate_markers(x, {"A": list(x.var_names[:9]), "B": list(x.var_names[9:20])}),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("fate", FATES)
@pytest.mark.parametrize("form", FORMS)
def test_h5ad(form: str, fate: str, call: str, simulated: tuple[ad.AnnData, Any], tmp_path: Path) -> None:
    cells, model = simulated
    path = tmp_path / "cells.h5ad"
    ad.AnnData(FORMS[form](cells.X), obs=cells.obs, var=cells.var).write_h5ad(path, compression="gzip")
    adata = ad.read_h5ad(path, backed="r")
    columns, (happen, is_lost) = list(adata.obs), FATES[fate]
    happen(path, adata)
    try:
        if is_lost:
            with pytest.raises(MatrixError, match=str(path)):
                CALLS[call](adata, model)
            assert list(adata.obs) == columns
            assert not adata.uns
            assert not adata.obsm
        else:
            CALLS[call](adata, model)
    finally:
        adata.file.close()


def test_a_file_cut_while_it_is_read(simulated: tuple[ad.AnnData, Any], tmp_path: Path) -> None:
    """HDF5 reads zeros behind the end of a file that was longer when it was opened."""
    from sc_annotate._core.arrays import row_ordered, rows

    cells, _ = simulated
    path = tmp_path / "cells.h5ad"
    for form in FORMS:
        ad.AnnData(FORMS[form](cells.X), obs=cells.obs, var=cells.var).write_h5ad(path)
        adata = ad.read_h5ad(path, backed="r")
        X = adata.X
        rows(X, slice(0, 10))
        os.truncate(path, path.stat().st_size // 3)
        with pytest.raises(InputError, match=str(path)):
            rows(row_ordered(X), slice(10, 300))
        adata.file.close()
        path.unlink()


def test_a_view_of_a_broken_matrix(simulated: tuple[ad.AnnData, Any]) -> None:
    cells, model = simulated
    broken = cells.copy()
    broken.X = broken.X.tocsr()
    broken.X.indices[3] = 10**6
    for view in (broken[:100], broken[:, :60], broken[::2, ::-1]):
        with pytest.raises(MatrixError, match="what adata is a view of is a broken sparse matrix"):
            sca.tl.annotate(view, model)


@pytest.fixture
def held_open(simulated: tuple[ad.AnnData, Any], tmp_path: Path) -> Any:
    """A file that another process can open for writing, and a function that has it do so."""
    import subprocess
    import sys

    path = tmp_path / "cells.h5ad"
    ad.AnnData(simulated[0].X, obs=simulated[0].obs, var=simulated[0].var).write_h5ad(path)
    holding = []

    def hold() -> None:
        code = "import h5py, sys; f = h5py.File(sys.argv[1], 'r+'); print('open', flush=True); sys.stdin.read()"
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        holding.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"

    yield path, hold
    for process in holding:
        process.communicate()


def test_a_file_open_for_writing_in_another_process(
    held_open: Any, simulated: tuple[ad.AnnData, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    from sc_annotate.cli import main

    path, hold = held_open
    adata = ad.read_h5ad(path, backed="r")
    columns = list(adata.obs)
    adata.file.close()
    hold()
    with pytest.raises(MatrixError, match=rf"{path}.*lock file"):
        sca.tl.annotate(adata, simulated[1])
    assert list(adata.obs) == columns
    assert main(["inspect", str(path)]) == 1
    assert f"'{path}' is open for writing in another program" in capsys.readouterr().err

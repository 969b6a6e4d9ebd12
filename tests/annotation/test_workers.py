"""A model that workers of joblib annotate with: in threads, and pickled to other processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import sc_annotate as sca

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anndata import AnnData

    from sc_annotate.tl import AnnotationModel

PIECES = 3


def _work() -> Callable[[AnnotationModel, AnnData], AnnData]:
    # A function within a function goes to workers by value: they cannot import this file.
    def annotated(model: AnnotationModel, adata: AnnData) -> AnnData:
        sca.tl.annotate(adata, model)
        return adata

    return annotated


annotated = _work()


def _contents(model: AnnotationModel) -> dict[str, bytes]:
    arrays, _ = model.annotator.to_arrays()
    return {name: np.ascontiguousarray(array).tobytes() for name, array in arrays.items()}


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["loky", "threading"])
@pytest.mark.parametrize("loaded", [False, True], ids=["fitted", "loaded"])
def test_workers_annotate_as_one_call_does(backend: str, loaded: bool, tmp_path: Path) -> None:
    import joblib

    cells = sca.datasets.simulate_reference(360, 80, 3, rng=0)
    reference, query = cells[:240].copy(), cells[240:].copy()
    model = sca.tl.fit_annotator(reference, "cell_type", cv=1)
    if loaded:
        model = sca.load(model.save(tmp_path / "model.safetensors"))
    pieces = [query[i::PIECES].copy() for i in range(PIECES)]
    before, identity = _contents(model), model.id
    found = joblib.Parallel(n_jobs=2, backend=backend)(
        joblib.delayed(annotated)(model, piece.copy()) for piece in pieces
    )
    assert model.id == identity
    assert _contents(model) == before
    for piece, other in zip(pieces, found, strict=True):
        # Those handed in are as they were; each of those that come back is annotated as in this process.
        assert "annotation" not in piece.uns
        assert not any(name.startswith("annotation") for name in piece.obs)
        expected = annotated(model, piece.copy())
        assert other.obs.equals(expected.obs)
        np.testing.assert_array_equal(other.obsm["annotation_proba"], expected.obsm["annotation_proba"])
        np.testing.assert_array_equal(other.X.toarray(), piece.X.toarray())
        assert other.uns["annotation"]["model"] == identity


@pytest.mark.once
@pytest.mark.slow
@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_errors_of_workers_are_ours(backend: str) -> None:
    import joblib

    reference = sca.datasets.simulate_reference(120, 80, 3, rng=0)
    model = sca.tl.fit_annotator(reference, "cell_type", method="nearest_centroid", cv=0)
    other = reference.copy()
    other.var_names = [f"other {i}" for i in range(other.n_vars)]
    with pytest.raises(sca.errors.GeneError):
        joblib.Parallel(n_jobs=2, backend=backend)(joblib.delayed(annotated)(model, each) for each in [other] * 2)

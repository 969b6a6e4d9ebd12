"""Model files that were tampered with: refused by our own error, or they load and then all of it works."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import sc_annotate as sca
from mutating import broken_bytes, forge, mutate, read
from sc_annotate.errors import GeneError, MethodError, ModelFileError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from anndata import AnnData

N = int(os.environ.get("SC_ANNOTATE_MUTATIONS", "24"))
"""Files of each kind; 1,000 by hand."""
SECONDS = 30
HAS_CLOCK = hasattr(signal, "SIGALRM")
METHODS = [name for name, row in sca.tl.methods("annotation").iterrows() if row["saves"]]
KINDS = [*METHODS, "levels", "isotonic", "venn_abers", "representation"]


@pytest.fixture(scope="module")
def cells() -> AnnData:
    out = sca.datasets.simulate_reference(260, 120, 3, rng=0)
    out.obs["batch"] = np.array(["a", "b"])[np.arange(out.n_obs) % 2]
    out.obs["broad"] = np.where(out.obs["cell_type"] == out.obs["cell_type"].cat.categories[0], "one", "other")
    out.obsm["X_some"] = np.asarray(np.log1p(out.X[:, :12].toarray()), dtype=np.float32)
    out.uns.clear()
    return out


def _fit(kind: str, cells: AnnData) -> Any:
    reference = cells[:200].copy()
    method = kind if kind in METHODS else "nearest_centroid"
    short: dict[str, Any] = {"epochs": 2}
    networks = {
        "mlp": short | {"hidden": 5},
        "mlp_torch": short | {"hidden": 5},
        "actinn": short,
        "nact": short | {"rank": 4},
    }
    kwargs = networks.get(kind) or {}
    more: dict[str, Any] = {"method_kwargs": kwargs} if kwargs else {}
    if kind in ("isotonic", "venn_abers"):
        more["trust"] = sca.trust.Options(calibration=kind, sets_by="clustered", set_score="raps")
    if kind == "representation":
        more["use_rep"] = "some"
    if kind == "levels":
        method, more["method_kwargs"] = "logreg", {"tree": "levels"}
    labels = ["broad", "cell_type"] if kind == "levels" else "cell_type"
    return sca.tl.fit_annotator(reference, labels, method=method, batch_key="batch", **more)


def _out_of_time(*_: Any) -> None:
    raise TimeoutError(f"more than {SECONDS} s")


@pytest.fixture(autouse=True)
def clock() -> Iterator[None]:
    """Without it, as on Windows, a file that takes forever is seen by whoever waits."""
    if not HAS_CLOCK:
        yield
        return
    before = signal.signal(signal.SIGALRM, _out_of_time)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def _seconds(n: int) -> None:
    if HAS_CLOCK:
        signal.alarm(n)


def _try(path: Path, query: AnnData, kind: str, said: str) -> str:
    """What happened: refused, other genes, or used. Anything else fails the test."""
    _seconds(SECONDS)
    try:
        model = sca.load(path)
    except ModelFileError as error:
        return "refused" if len(str(error)) < 2_000 else f"a long error ({said})"
    except MethodError:
        return "refused" if "method" in said else f"a method ({said})"
    assert str(model)
    assert repr(model)
    assert model._repr_html_()
    adata = query.copy()
    try:
        sca.tl.annotate(adata, model, use_rep="some" if kind == "representation" else None)
    except GeneError:
        # Other names of genes are another model, which does not fit these cells.
        return "other genes" if "names" in said or "panel" in said else f"genes ({said})"
    np.testing.assert_allclose(sca.get.probabilities(adata).sum(axis=1), 1, atol=1e-3, err_msg=said)
    report = sca.get.report(adata)
    assert str(report)
    assert report._repr_html_()
    sca.tl.vote(adata, "batch")
    if kind != "representation":
        sca.tl.evidence(adata, model=model, groupby="batch")
    adata.write_h5ad(path.with_suffix(".h5ad"))
    _seconds(0)
    return "used"


@pytest.mark.once
@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_mutated_files_are_refused_or_work(kind: str, cells: AnnData, tmp_path: Path):
    query = cells[200:].copy()
    good = _fit(kind, cells).save(tmp_path / "good.safetensors")
    assert _try(good, query, kind, "nothing") == "used"
    (arrays, meta), content = read(good), good.read_bytes()
    path = tmp_path / "m.safetensors"
    happened: dict[str, int] = {}
    wrong: list[str] = []
    for seed in range(N):
        rng = np.random.default_rng([KINDS.index(kind), seed])
        if rng.random() < 0.1:
            said = "bytes"
            path.write_bytes(broken_bytes(content, rng))
        else:
            changed, stated, said = mutate(arrays, meta, rng)
            forge(path, changed, stated)
        try:
            result = _try(path, query, kind, said)
        except Exception as error:  # noqa: BLE001 - whatever is raised is the failure
            result = f"{type(error).__name__}: {str(error)[:300]}"
        happened[result] = happened.get(result, 0) + 1
        if result not in ("refused", "used", "other genes"):
            wrong.append(f"{kind}, seed {seed}: {said}: {result}")
    print(f"{kind}: {happened}")
    assert wrong == []
    # A mutation that is never noticed would test nothing.
    assert happened["refused"] > N // 4


@pytest.mark.slow
@pytest.mark.parametrize(("name", "value"), [("levels.powers", np.inf), ("levels.powers", 0.0), ("shown.rates", 1.5)])
def test_what_was_learned_of_cells_and_levels_is_in_range(
    cells: AnnData, tmp_path: Path, name: str, value: float
) -> None:
    model = sca.tl.fit_annotator(cells, ["broad", "cell_type"], method="nearest_centroid", cv=0)
    arrays, meta = read(model.save(tmp_path / "m.safetensors"))
    forge(tmp_path / "m.safetensors", arrays | {name: np.full_like(arrays[name], value)}, meta)
    with pytest.raises(ModelFileError, match=r"levels is damaged|rates of detection"):
        sca.load(tmp_path / "m.safetensors")

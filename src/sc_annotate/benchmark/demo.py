"""``sc-annotate demo``: real PBMCs named, scored against held-out truth, plotted and saved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.files import not_written
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from anndata import AnnData

METHODS = ("logreg", "linear_svm", "lda", "nearest_centroid", "knn", "majority")


def demo(folder: Path, *, rng: int = 0) -> pd.DataFrame:
    """Hide the labels of a fifth of 700 PBMCs, name them, and leave table, pictures and h5ad in `folder`.

    Parameters
    ----------
    folder
        Made if absent; files of an earlier demo in it are replaced.
    rng
        Seed of the split and the methods.

    Returns
    -------
    Held-out scores, one row a method.
    """
    from sc_annotate import datasets, evaluation, tl
    from sc_annotate.benchmark._annotators import annotators

    if folder.exists() and not folder.is_dir():
        raise InputError(f"{str(folder)!r} is a file; choose another --folder.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise InputError(not_written(folder, error)) from error
    adata = datasets.pbmc68k()
    print(
        f"{adata.n_obs} real PBMCs, {adata.n_vars} genes, {adata.obs['cell_type'].nunique()} types (Zheng et al. 2017)"
    )

    split = evaluation.holdout(np.asarray(adata.obs["cell_type"], dtype=str), rng=rng)
    reference, query = adata[split.train].copy(), adata[split.test].copy()
    print(f"naming {query.n_obs} held-out cells after the {reference.n_obs} others (logreg) ...")
    tl.annotate(query, reference, "cell_type", rng=rng)
    right = float((query.obs["annotation"].astype(str) == query.obs["cell_type"].astype(str)).mean())
    print(
        f"  {right:.1%} of them get the label they had; mean confidence {query.obs['annotation_confidence'].mean():.2f}"
    )

    print(f"comparing {len(METHODS)} methods, 5-fold cross-validation ...")
    table = annotators(adata, "cell_type", methods=METHODS, cv=5, rng=rng)
    _pictures(folder, query, table)
    query.write_h5ad(folder / "annotated.h5ad")
    table.to_csv(folder / "methods.csv", index=False)
    print(f"\nwritten to {folder}/: {', '.join(sorted(p.name for p in folder.iterdir()))}\n")
    print(_printed(table))
    return table


def _pictures(folder: Path, query: AnnData, table: pd.DataFrame) -> None:
    from sc_annotate import pl

    figures: dict[str, Any] = {
        "annotation.png": pl.annotation(query, return_fig=True),
        "confusion.png": pl.confusion(query, truth="cell_type", return_fig=True),
        "methods.png": pl.methods(table, return_fig=True),
    }
    for name, figure in figures.items():
        figure.savefig(folder / name, dpi=150, bbox_inches="tight")


def _printed(table: pd.DataFrame) -> str:
    lines = [f"{'method':<18}{'accuracy':>9}  {'macro-F1 [95 % interval]':<27}{'minus logreg':<27}{'seconds':>8}"]
    for row in table.sort_values("macro_f1", ascending=False).to_dict("records"):
        f1 = f"{row['macro_f1']:.3f} [{row['macro_f1_low']:.3f}, {row['macro_f1_high']:.3f}]"
        gap = f"{row['difference']:+.3f} [{row['difference_low']:+.3f}, {row['difference_high']:+.3f}]"
        gap = "" if row["method"] == "logreg" else gap
        lines.append(f"{row['method']:<18}{row['accuracy']:>9.3f}  {f1:<27}{gap:<27}{row['seconds']:>8.2f}")
    return "\n".join(lines)

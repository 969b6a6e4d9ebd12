"""Trains with celltypist and writes what it says; run by itself, as celltypist changes warning filters on import."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
import scanpy as sc

VARIANTS = {
    "sgd": {},
    "without_mean": {"with_mean": False},
    "mini_batch": {"mini_batch": True, "batch_size": 100},
    "selected": {"feature_selection": True, "top_genes": 50},
    "two_types": {},
}


def main(folder: Path) -> None:
    warnings.simplefilter("ignore")
    import celltypist

    # The import sets filters of its own.
    warnings.simplefilter("ignore")
    adata = sc.datasets.pbmc68k_reduced()
    labels = adata.obs["bulk_labels"].astype(str).to_numpy()
    adata = adata.raw.to_adata()
    # Sparse cells and a scaler without means do not go together in celltypist.
    adata.X = adata.X.toarray()
    out: dict[str, np.ndarray] = {}
    for name, options in VARIANTS.items():
        cells = np.isin(labels, ["CD19+ B", "CD14+ Monocyte"]) if name == "two_types" else np.full(len(labels), True)
        model = celltypist.train(
            adata[cells].copy(), labels=labels[cells], check_expression=False, use_SGD=True, random_state=0, **options
        )
        model.write(str(folder / f"{name}.pkl"))
        for part, query in {"all": adata, "third": adata[:, ::3]}.items():
            found = celltypist.annotate(query.copy(), model=str(folder / f"{name}.pkl"))
            out[f"{name}/{part}/labels"] = found.predicted_labels["predicted_labels"].astype(str).to_numpy(dtype="U")
            out[f"{name}/{part}/scores"] = found.probability_matrix.to_numpy()
            out[f"{name}/{part}/types"] = found.probability_matrix.columns.to_numpy(dtype="U")
    np.savez(folder / "theirs.npz", **out)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

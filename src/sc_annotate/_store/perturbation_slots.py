"""Where predictions of perturbed expression are kept in an AnnData."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sc_annotate._core.codec import sanitize
from sc_annotate._data.obs import with_tables
from sc_annotate._store.slots import one_at_a_time, result_name
from sc_annotate.errors import StorageError

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

DEFAULT_KEY: Final = "perturbation"
SCHEMA: Final = 1
TASK: Final = "perturbation"
PARTS: Final = ("", "_lower", "_upper", "_observed")
"""Of the keys in ``varm``, genes x conditions."""
CONTROLS: Final = "_controls"
"""The same, genes x contexts, where there are several."""


CONTEXTS: Final = ("context", "covariates", "covariate_keys")
"""In ``uns``, where there are several."""
ALL: Final = (*PARTS, CONTROLS)


def _ours(stored: Any) -> bool:
    return isinstance(stored, dict) and stored.get("task") == TASK and "schema" in stored


def check_writable(adata: AnnData, key: str) -> None:
    """Refuse to overwrite what this package did not write."""
    result_name(key)
    stored = adata.uns.get(key)
    written = stored.get("written") if isinstance(stored, dict) and _ours(stored) else None
    mine = set() if written is None else {str(name) for name in written}
    taken = [f"uns[{key!r}]"] if key in adata.uns and not _ours(stored) else []
    taken += [f"varm[{key + part!r}]" for part in ALL if key + part in adata.varm and key + part not in mine]
    column = f"{key}_control"
    taken += [f"var[{column!r}]"] if column in adata.var and column not in mine else []
    if taken:
        raise StorageError(
            f"{', '.join(taken)} exist already and were not written by sc_annotate. Choose another key_added than {key!r}, "
            "or rename or delete them."
        )


@one_at_a_time
def write(
    adata: AnnData,
    key: str,
    parts: dict[str, NDArray[np.float64]],
    control: NDArray[np.float64],
    uns: dict[str, Any],
    *,
    genes: slice | NDArray[np.intp] | None = None,
) -> None:
    """Store predictions, conditions (or contexts) x genes by part; earlier ones under the same key go.

    `genes` says which features of `adata` the predictions are of, where there are others, which get NaN.
    """
    check_writable(adata, key)
    if genes is not None:
        parts = {part: _placed(values, genes, adata.n_vars) for part, values in parts.items()}
        control = _placed(np.asarray(control, dtype=np.float64), genes, adata.n_vars)
    written = [key + part for part in parts] + [f"{key}_control"]
    entry = sanitize({"schema": SCHEMA, "task": TASK, "written": written} | uns, where=f"uns[{key!r}]")
    varm_was = {key + part: adata.varm[key + part] for part in ALL if key + part in adata.varm}
    var_was, uns_was = adata.var, adata.uns.get(key)
    var = with_tables(adata).var
    try:
        # First, as it makes a view an object of its own, silently.
        adata.var = var.assign(**{f"{key}_control": np.asarray(control, dtype=np.float32)})
        for name in varm_was:
            del adata.varm[name]
        for part, values in parts.items():
            adata.varm[key + part] = np.ascontiguousarray(values.T, dtype=np.float32)
        adata.uns[key] = entry
    except BaseException:
        # All that can fail has been computed before, but Ctrl-C may come at any time.
        for part in ALL:
            adata.varm.pop(key + part, None)
        for name, values in varm_was.items():
            adata.varm[name] = values
        adata.var = var_was
        adata.uns.pop(key, None)
        if uns_was is not None:
            adata.uns[key] = uns_was
        raise


def _placed(values: NDArray[np.float64], genes: slice | NDArray[np.intp], n: int) -> NDArray[np.float64]:
    out = np.full((*values.shape[:-1], n), np.nan)
    out[..., genes] = values
    return out


def genes_of(adata: AnnData, key: str) -> NDArray[np.bool_]:
    """Which features of `adata` were predicted: not those that are no genes."""
    return ~np.isnan(np.asarray(adata.var[f"{key}_control"], dtype=np.float32))


def read_uns(adata: AnnData, key: str) -> dict[str, Any]:
    """The metadata of predictions, checked."""
    from sc_annotate._data.matrix import check_adata

    check_adata(adata, what="adata")
    result_name(key)
    stored = adata.uns.get(key)
    if not isinstance(stored, dict) or not _ours(stored):
        have = [name for name, value in list(adata.uns.items()) if _ours(value)]
        raise StorageError(
            f"adata.uns has no predicted perturbations {key!r}; there are: {', '.join(map(repr, have)) or 'none'}. "
            "Run `sca.tl.predict_perturbation(adata, ...)` first."
        )
    if stored.get("schema") != SCHEMA:
        raise StorageError(
            f"adata.uns[{key!r}] has schema {stored.get('schema')!r}; this version reads {SCHEMA}. Predict again."
        )
    names = [*(key + part for part in PARTS), f"{key}_control"]
    lacking = [name for name in names if name not in adata.varm and name not in adata.var]
    n = len(np.atleast_1d(stored.get("conditions", ())))
    lacking += [name for name in ("conditions", "reason", "held_out", "verdict") if name not in stored]
    lacking += [name for name in names[:-1] if name in adata.varm and adata.varm[name].shape[1] != n]
    if any(name in stored for name in CONTEXTS):
        lacking += [name for name in CONTEXTS if name not in stored]
        lacking += [] if key + CONTROLS in adata.varm else [key + CONTROLS]
        lacking += [] if lacking or _contexts_fit(stored, adata.varm[key + CONTROLS].shape[1], n) else ["context"]
    if lacking:
        raise StorageError(f"adata lost {', '.join(map(repr, lacking))} of the result {key!r}. Predict again.")
    return dict(stored)


def _contexts_fit(stored: dict[str, Any], n_contexts: int, n_conditions: int) -> bool:
    """Whether the parts that tell contexts apart are of one result."""
    context, table = np.atleast_1d(np.asarray(stored["context"])), stored["covariates"]
    return (
        context.shape == (n_conditions,)
        and context.dtype.kind in "iu"
        and bool((context >= 0).all() and (context < n_contexts).all())
        and len(table) == n_contexts
        and all(str(name) in table for name in np.atleast_1d(stored["covariate_keys"]))
    )


def control_of(adata: AnnData, key: str, stored: dict[str, Any]) -> NDArray[np.float32]:
    """The control that each condition stands beside: (genes,), or conditions x genes where there are several contexts."""
    if "context" not in stored:
        return np.asarray(adata.var[f"{key}_control"], dtype=np.float32)
    controls = np.asarray(adata.varm[key + CONTROLS], dtype=np.float32)
    context = np.atleast_1d(np.asarray(stored["context"], dtype=np.intp))
    return np.ascontiguousarray(controls.T[context])

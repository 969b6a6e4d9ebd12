"""Where coordinates of cells are kept in an AnnData."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sc_annotate._core.codec import sanitize
from sc_annotate._data.obs import in_memory
from sc_annotate._store.slots import one_at_a_time, result_name
from sc_annotate.errors import StorageError

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

SCHEMA: Final = 1
TASK: Final = "embedding"


def _ours(stored: Any) -> bool:
    return isinstance(stored, dict) and stored.get("task") == TASK and "schema" in stored


def check_writable(adata: AnnData, key: str) -> None:
    """Refuse to overwrite what this package did not write."""
    result_name(key)
    ours = _ours(in_memory(adata.uns.get(key)))
    taken = [f"uns[{key!r}]"] if key in adata.uns and not ours else []
    taken += [f"obsm[{key!r}]"] if key in adata.obsm and not ours else []
    if taken:
        raise StorageError(
            f"{' and '.join(taken)} exist already and were not written by sc_annotate. Choose another key_added than {key!r}, "
            "or rename or delete them."
        )


@one_at_a_time
def write(adata: AnnData, key: str, Z: NDArray[np.float32], uns: dict[str, Any]) -> None:
    """Store coordinates, cells x dimensions, and what is recorded of them; earlier ones under the same key go."""
    check_writable(adata, key)
    entry = sanitize({"schema": SCHEMA, "task": TASK} | uns, where=f"uns[{key!r}]")
    was, uns_was = adata.obsm.get(key), adata.uns.get(key)
    try:
        adata.obsm[key] = np.ascontiguousarray(Z, dtype=np.float32)
        adata.uns[key] = entry
    except BaseException:
        # Ctrl-C may come at any time.
        for held, before in ((adata.obsm, was), (adata.uns, uns_was)):
            held.pop(key, None)
            if before is not None:
                held[key] = before
        raise


def read(adata: AnnData, key: str) -> tuple[NDArray[np.float32], dict[str, Any]]:
    """Coordinates and what is recorded of them."""
    result_name(key)
    stored = in_memory(adata.uns.get(key))
    if not _ours(stored) or key not in adata.obsm:
        have = [name for name, value in list(adata.uns.items()) if _ours(in_memory(value))]
        raise StorageError(
            f"adata has no coordinates {key!r} of this package; there are: {', '.join(map(repr, have)) or 'none'}. Run "
            "`sca.tl.pretrain(adata, ...)` or `sca.tl.embed(adata, encoder)` first."
        )
    return np.asarray(adata.obsm[key]), stored

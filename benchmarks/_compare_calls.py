"""Public calls by their present names, also on the tree in which they had other ones; and what each call left."""

from __future__ import annotations

import inspect
import time
from typing import TYPE_CHECKING, Any

import numpy as np
from _compare_plain import leaves

import sc_annotate as sca

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anndata import AnnData

PARTS = ("obs", "var", "obsm", "varm", "obsp", "layers", "uns")
# Before trust settings became one object, and under which names.
FLAT = {
    "scheme": "calibration_scheme",
    "false_positive_rate": "false_alarms",
    "calibration": "calibration",
    "set_score": "set_score",
    "sets_by": "sets_by",
    "check_quality": "check_quality",
    "min_overlap": "min_overlap",
}
# Other arguments that were renamed, present name first.
RENAMED = {"drop_nonresponding": "drop_escapers", "select_by": "call_by"}


def adapted(function: Callable[..., Any], given: dict[str, Any]) -> dict[str, Any]:
    """Keyword arguments under the names that this tree has for them."""
    known = inspect.signature(function).parameters
    out: dict[str, Any] = {}
    if "perturbation_embedding" in known:
        # Embeddings were arguments of the function before they were parameters of the method.
        params = dict(given.get("method_kwargs") or {})
        moved = {name: params.pop(name) for name in ("gene_embedding", "perturbation_embedding") if name in params}
        given = given | moved | ({"method_kwargs": params or None} if moved else {})
    for name, value in given.items():
        if name == "trust" and isinstance(value, dict):
            if "trust" in known:
                out["trust"] = sca.trust.Options(**value)
            else:
                out |= {k if k in known else FLAT[k]: v for k, v in value.items()}
        else:
            out[name if name in known else RENAMED.get(name, name)] = value
    return out


class Calls:
    """Public calls, and a record of their results; `folder` is for files that a case writes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.found: dict[str, Any] = {}
        self.seconds: dict[str, float] = {}

    def __call__(self, function: Callable[..., Any], *args: Any, **given: Any) -> Any:
        return function(*args, **adapted(function, given))

    def annotate_markers(self, adata: AnnData, markers: Any, groupby: str | None = None, **given: Any) -> None:
        """Annotation by marker lists, which was a method of `annotate`."""
        if hasattr(sca.tl, "annotate_markers"):
            self(sca.tl.annotate_markers, adata, markers, groupby, **given)
        else:
            self(sca.tl.annotate, adata, method="markers", markers=markers, groupby=groupby, **given)

    def keep(self, label: str, value: Any) -> None:
        self.found |= {f"{label}/{path}" if path else label: array for path, array in leaves(value).items()}

    def on(self, label: str, adata: AnnData, function: Callable[..., Any], *args: Any, **given: Any) -> AnnData:
        """Call `function` on a copy of `adata`; kept is what was added, and whether the rest stayed as it was."""
        data = adata.copy()
        start = time.perf_counter()
        if function is Calls.annotate_markers:
            self.annotate_markers(data, *args, **given)
        else:
            self(function, data, *args, **given)
        self.seconds[label] = time.perf_counter() - start
        self.added(label, adata, data)
        return data

    def added(self, label: str, before: AnnData, after: AnnData) -> None:
        for part in PARTS:
            old = set(getattr(before, part))
            own = getattr(after, part)
            self.keep(f"{label}/{part}", {name: own[name] for name in own if name not in old} or {})
        changed = [
            f"{part}[{name!r}]"
            for part in ("obs", "var")
            for name in getattr(before, part)
            if not getattr(before, part)[name].equals(getattr(after, part)[name])
        ]
        same = (before.X != after.X).sum() == 0 if before.X is not None else True
        self.keep(f"{label}/changed", changed + ([] if same else ["X"]) or "nothing")
        for name in after.uns:
            if name not in before.uns and f"{name}_confidence" in after.obs:
                self.getters(f"{label}/get {name}", after, str(name))

    def getters(self, label: str, adata: AnnData, key: str) -> None:
        """What users read back."""
        from sc_annotate.errors import ScAnnotateError

        for get in (sca.get.annotation, sca.get.probabilities, sca.get.sets, sca.get.evidence, sca.get.report):
            name = get.__name__
            if name == "evidence" and "evidence" not in adata.uns[key]:
                continue
            try:
                value = get(adata, key)
            except ScAnnotateError as error:
                value = f"{type(error).__name__}"
            self.keep(f"{label}/{name}", str(value) if name == "report" else value)

    def model(self, label: str, model: Any) -> None:
        """What a fitted model holds, and how it prints."""
        names = (
            "method",
            "classes",
            "counts",
            "names",
            "means",
            "input",
            "panel",
            "evaluation",
            "levels",
            "level_scores",
        )
        self.keep(label, {name: getattr(model, name, None) for name in names})
        self.keep(f"{label}/printed", str(model))


def dense(matrix: Any) -> Any:
    return matrix.toarray() if hasattr(matrix, "toarray") else np.asarray(matrix)

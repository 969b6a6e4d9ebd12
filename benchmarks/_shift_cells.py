"""What annotations of cells from another batch say, part by part: rows for trust_shift.py."""

from __future__ import annotations

import dataclasses
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from _shift_data import COUNTS, DATA, LABELS, PBMC68K, cases, skewed, thinned, types_of

import sc_annotate as sca

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from _shift_data import Case
    from anndata import AnnData

    Row = dict[str, Any]

DEPTHS = (2000, 1000, 500, 200, 100, 50, 20)
COVERAGE = 0.9
KEY = "annotation"
LINEAGES = {"CD4": "T", "CD8": "T", "CD14": "Mono", "CD16": "Mono", "B": "B"}


@dataclasses.dataclass(frozen=True)
class How:
    """What is common to all calls."""

    folder: Path
    method: str = "logreg"
    draws: int = 3
    thinnings: int = 10
    only: str | None = None
    """One batch alone is left out."""

    def cases(self, data: str) -> Iterator[Case]:
        return cases(data, self.folder, self.only)

    def annotate(self, case: Case, **more: Any) -> None:
        """With the defaults: genes that the query lacks are no part of the model."""
        given = {"method": self.method, "batch_key": case.batch_key} | more
        sca.tl.annotate(case.query, case.reference, LABELS, **given)

    def fit(self, case: Case, **more: Any) -> Any:
        return sca.tl.fit_annotator(case.reference, LABELS, method=self.method, batch_key=case.batch_key, **more)


def of(case: Case, part: str) -> Row:
    sizes = {"n_reference": case.reference.n_obs, "n_query": case.query.n_obs}
    return {"part": part, "data": case.data, "split": case.name, "kind": case.kind, **sizes}


def stored(adata: AnnData, name: str) -> np.ndarray:
    column = adata.obs[KEY if name == "label" else f"{KEY}_{name}"]
    return column.astype(str).to_numpy().astype(str) if column.dtype == "category" else column.to_numpy()


def cells_of(adata: AnnData) -> dict[str, list[Any]]:
    """What is stored of each cell, and whether its prediction set holds its type."""
    sets, y = sca.get.sets(adata), types_of(adata)
    place = sets.columns.get_indexer(y)
    covered = np.where(place >= 0, sets.to_numpy()[np.arange(len(y)), place], False)
    return {
        "y": y.tolist(),
        "label": stored(adata, "label").tolist(),
        "confidence": np.round(stored(adata, "confidence").astype(float), 5).tolist(),
        "status": stored(adata, "status").tolist(),
        "size": stored(adata, "set_size").tolist(),
        "unfamiliarity": np.round(stored(adata, "unfamiliarity").astype(float), 5).tolist(),
        "covered": covered.astype(int).tolist(),
    }


def groups_of(adata: AnnData) -> dict[str, Any] | None:
    """Group of each cell ("": none), and the groups that are flagged; None where groups are not looked for."""
    if not adata.uns[KEY].get("groups"):
        return None
    table = sca.get.groups(adata)
    own = adata.obs[f"{KEY}_group"].astype(object)
    group = own.where(own.notna(), "").astype(str)
    return {"group": group.tolist(), "flagged": table["group"][table["flagged"].astype(bool)].astype(str).tolist()}


def losses(adata: AnnData) -> dict[str, Any]:
    """Held-out log loss with and without the stored calibrator."""
    report = adata.uns[KEY]["calibration"]
    scores = {row["probabilities"]: float(row["log_loss"]) for _, row in report["scores"].iterrows()}
    return {"calibrator": str(report["method"]), "log_loss": scores}


def splits(how: How, data: str) -> Iterator[Row]:
    """One batch left out, with the defaults."""
    for case in how.cases(data):
        how.annotate(case)
        first = [line.strip() for line in str(sca.get.report(case.query)).splitlines()[:4]]
        more = {"calibration": losses(case.query), "first_lines": first, "groups": groups_of(case.query)}
        yield of(case, "splits") | {"known": case.known.tolist(), "cells": cells_of(case.query)} | more


def removed(how: How, data: str) -> Iterator[Row]:
    """Every type of enough cells removed from the reference."""
    for case in how.cases(data):
        for unseen in case.removable():
            rest = case.without(unseen)
            how.annotate(rest, cv=0)
            kept = cells_of(rest.query)
            cells = {name: kept[name] for name in ("y", "status", "unfamiliarity", "confidence")}
            yield of(rest, "removed") | {"unseen": unseen, "cells": cells, "groups": groups_of(rest.query)}


def depth(how: How, data: str) -> Iterator[Row]:
    """The query with fewer molecules."""
    if data not in COUNTS:
        return
    for case in how.cases(data):
        model = how.fit(case, cv=0)
        rng = np.random.default_rng(0)
        for molecules in DEPTHS:
            found = []
            for _ in range(how.thinnings):
                query = thinned(case.query, molecules, rng)
                sca.tl.annotate(query, model)
                found.append([stored(query, n) for n in ("label", "confidence", "status")] + [types_of(query)])
            label, confidence, status, y = (np.concatenate(column) for column in zip(*found, strict=True))
            right, sure = label == y, status == "confident"
            numbers = {"n": y.size, "sum_confidence": float(confidence.sum()), "right": int(right.sum())}
            numbers |= {"confident": int(sure.sum()), "confident_right": int((sure & right).sum())}
            yield of(case, "depth") | {"molecules": molecules} | numbers


def genes(how: How, data: str) -> Iterator[Row]:
    """Labels of the method alone: no hold-out, no calibration."""
    if data in ("baron_species", "xin_wang"):
        return
    for case in how.cases(data):
        model = how.fit(case, cv=0, trust=None)
        sca.tl.annotate(case.query, model)
        yield of(case, "genes") | {"y": types_of(case.query).tolist(), "label": stored(case.query, "label").tolist()}


def can_align() -> bool:
    return "align" in {field.name for field in dataclasses.fields(sca.trust.Options)}


def skew(how: How, data: str) -> Iterator[Row]:
    """The query with another composition than the reference, aligned and not."""
    for case in how.cases(data):
        model = how.fit(case, cv=0)
        rng = np.random.default_rng(0)
        for draw in range(how.draws):
            query = skewed(case.query, rng)
            row = of(case, "skew") | {"draw": draw, "y": types_of(query).tolist()}
            for align in (None, "auto") if can_align() else (None,):
                given: dict[str, Any] = {"align": align} if can_align() else {}
                sca.tl.annotate(query, model, trust=sca.trust.Options(**given))
                row["plain" if align is None else "aligned"] = stored(query, "label").tolist()
            yield row


def two_levels(adata: AnnData, name: str) -> AnnData:
    if name == "simulated":
        adata.obs["lineage"] = adata.obs["cell_type_broad"].astype(str)
    else:
        adata.obs["lineage"] = [LINEAGES[t.split()[0]] for t in types_of(adata)]
    return adata


def levels(how: How, data: str) -> Iterator[Row]:
    """Confidence of coarser labels: a simulated tree, and kang_14k by halves and by condition."""
    pairs: list[tuple[str, str, AnnData, AnnData]] = []
    if data == "kang_14k":
        for case in how.cases(data):
            pairs.append((data, case.name, two_levels(case.reference, data), two_levels(case.query, data)))
            half = np.random.default_rng(0).permutation(case.query.n_obs) % 2 == 0
            parts = (two_levels(case.query[rows].copy(), data) for rows in (half, ~half))
            pairs.append((f"{data}, halves", case.name, *parts))
    if data == "simulated":
        for seed in range(how.draws):
            cells = two_levels(sca.datasets.simulate_reference(1000, 1000, 20, depth=250, rng=1 + seed), data)
            pairs.append((data, f"tree {seed + 1}", cells[:500].copy(), cells[500:].copy()))
    for name, split, reference, query in pairs:
        sca.tl.annotate(query, reference, ["lineage", LABELS], method=how.method, cv=0)
        for level, column in (("lineage", f"{KEY}_lineage"), (LABELS, KEY)):
            right = query.obs[column].astype(str).to_numpy() == query.obs[level].astype(str).to_numpy()
            confidence = query.obs[f"{column}_confidence"].to_numpy().astype(float)
            row = {"part": "levels", "data": name, "split": split, "level": level, "n": query.n_obs}
            yield row | {"right": int(right.sum()), "sum_confidence": float(confidence.sum())}


PARTS: dict[str, Callable[[How, str], Iterator[Row]]] = {
    "splits": splits,
    "removed": removed,
    "depth": depth,
    "genes": genes,
    "skew": skew,
    "levels": levels,
}
EXTRA_DATA = {"genes": (PBMC68K,), "levels": ("simulated",)}


def rows(part: str, data: str, how: How) -> list[Row]:
    """All rows of one part on one data set, quietly."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list(PARTS[part](how, data))


def data_of(part: str) -> tuple[str, ...]:
    return (*DATA, *EXTRA_DATA.get(part, ()))

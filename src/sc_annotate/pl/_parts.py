"""Which part of a result, or which column of ``obs``, a user means by a name."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sc_annotate._store.reading import check_column
from sc_annotate._store.stored import read_annotation, result_keys
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

OTHERS = ("status", "model", "low_quality", "rollup_ontology_term_id")
"""Parts of a result that are no labels, though they are no numbers either."""


@dataclass(frozen=True)
class Part:
    """A part of a result: its name there, the key of the result, and the values; with key None, a column of ``obs``."""

    key: str | None
    name: str
    values: pd.Series
    frame: pd.DataFrame | None = None

    @property
    def column(self) -> str:
        """The name of the column of ``obs``."""
        return self.name if self.key is None else self.key if self.name == "label" else f"{self.key}_{self.name}"

    @property
    def is_label(self) -> bool:
        return self.key is not None and is_label(self.name, self.values)


def is_label(name: str, values: pd.Series) -> bool:
    """Whether a part of a result holds names of types."""
    return name not in OTHERS and values.dtype.kind not in "fiub"


def without_uns(adata: AnnData, key: str, name: str) -> str:
    """What to do where a level is no part of the result any more, because its metadata was lost."""
    column = name if str(name).startswith(f"{key}_") else f"{key}_{name}"
    if key in adata.uns or column not in adata.obs:
        return ""
    return (
        f" adata.uns[{key!r}] is missing, as after `ad.concat`, and with it which columns are its levels. Concatenate with "
        "uns_merge='same', or annotate again."
    )


def part_of_labels(adata: AnnData, frame: pd.DataFrame, key: str, name: str, *, argument: str) -> str:
    """The part of a result that holds labels of this name, or in the column of this name."""
    known = [part for part in frame if is_label(str(part), frame[part])]
    for part in known:
        if name in (part, f"{key}_{part}", key if part == "label" else part):
            return str(part)
    missing = {"voted": "sca.tl.vote", "rollup": "sca.tl.rollup"}
    word = str(name).removeprefix(f"{key}_")
    fix = f" Run {missing[word]} first." if word in missing else without_uns(adata, key, name)
    raise InputError(
        f"{argument} must be one of {', '.join(map(repr, known))} for the result {key!r}, not {name!r}.{fix}"
    )


def find_part(adata: AnnData, key: str, frame: pd.DataFrame, name: str) -> Part:
    """The part of the result of this name; else the column of ``obs``, as part of the result that it belongs to."""
    if name in frame:
        return Part(key, name, frame[name], frame)
    # The longest name first: of "a" and "a_b", the column "a_b_voted" belongs to the second.
    for other in sorted({key, *result_keys(adata)}, key=len, reverse=True):
        if name == other or (isinstance(name, str) and name.startswith(f"{other}_")):
            own = frame if other == key else read_annotation(adata, other)
            part = "label" if name == other else name.removeprefix(f"{other}_")
            if part in own:
                return Part(other, part, own[part], own)
    if isinstance(name, str) and name in adata.obs:
        return Part(None, name, check_column(adata, name, argument="color"))
    near = difflib.get_close_matches(str(name), [*map(str, frame), *map(str, adata.obs)], n=1, cutoff=0.6)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise InputError(
        f"color must be one or more of {', '.join(map(repr, frame))} for the result {key!r}, or columns of adata.obs, not "
        f"{name!r}.{without_uns(adata, key, name) or hint}"
    )

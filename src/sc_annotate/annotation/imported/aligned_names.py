"""Where the name of each cell, or group of cells, is among the names that came with labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sc_annotate._core.codec import check_texts
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


def places(index: pd.Index, wanted: Sequence[str], *, argument: str, of: str) -> tuple[NDArray[np.intp], list[str]]:
    """The row of `index` for each of the `wanted` names, and a note on the names that are not wanted.

    `argument` is what has the index and `of` what the names should be, for errors: ``"cells of adata"``.

    Raises
    ------
    InputError
        Names that occur twice, on either side, or wanted ones that are not there.
    """
    import pandas as pd

    names = pd.Index([str(name) for name in index], dtype=object)
    check_texts(names.tolist(), f"the names of {argument}", InputError)
    own = pd.Index(list(wanted), dtype=object)
    for found, whose, fix in (
        (own, f"the {of}", "run adata.obs_names_make_unique() before the labels are made"),
        (names, argument, "keep one row of each"),
    ):
        if twice := found[found.duplicated()].unique().tolist():
            raise InputError(
                f"{whose} have {_some(twice)} more than once, so it is not clear whose label is whose; {fix}."
                if found is own
                else f"{whose} names {_some(twice)} more than once, so it is not clear which label is meant; {fix}."
            )
    row = names.get_indexer(own)
    missing = own[row < 0].tolist()
    if len(missing) == len(own):
        raise InputError(
            f"none of the names of {argument} is one of the {of}: there {_some(names.tolist())}, here {_some(own.tolist())}. Write "
            "them alike, such as with the same suffix."
        )
    if missing:
        raise InputError(
            f"{argument} lacks {len(missing):,} of the {len(own):,} {of}: {_some(missing)}. Add them, with an empty label where there "
            "is none (`labels.reindex(adata.obs_names)` does that for cells of a Series); compared with known labels they count as wrong."
        )
    extra = names[~names.isin(own)].tolist()
    if not extra:
        return row, []
    return row, [
        f"{len(extra):,} of the {len(names):,} names of {argument} are no {of} and were not used: {_some(extra)}"
    ]


def _some(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:3])) + (", ..." if len(names) > 3 else "")

"""Names of conditions, as a table."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.arguments import public
from sc_annotate._core.codec import check_texts
from sc_annotate._vocabulary import conditions as parsing
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd


@public
def parse_conditions(
    names: Sequence[Any], *, control: str, separator: str | Sequence[str] = "+", guide_suffix: str | None = None
) -> pd.DataFrame:
    r"""Read the names of perturbed conditions: which genes each stands for.

    Parameters
    ----------
    names
        Names as they stand in a column of ``obs``, such as ``"KLF1"``, ``"KLF1+GATA1"`` or ``"KLF1+ctrl"``.
    control
        The name of the control. Beside a target, as in ``"KLF1+ctrl"``, it is no target, and neither are ``"ctrl"``,
        ``"control"``, ``"non-targeting"`` and ``"negctrl"``; any other name, also ``"NT"``, is one.
    separator
        What stands between two targets; of several the first that occurs in a name counts.
    guide_suffix
        Regular expression of what follows the gene in the name of a guide, such as ``r"_g\d+"`` or ``r"g\d+"``.

    Returns
    -------
    One row for each different name, in order of appearance: ``name``; ``condition``, the targets in alphabetical order
    joined by ``+``, empty for the control; ``n_targets``; ``problem``, why a name could not be read, else empty.

    Raises
    ------
    sc_annotate.errors.InputError
        No list of names, no name of a control, a separator or a regular expression that is none.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> sca.pp.parse_conditions(["ctrl", "KLF1+ctrl", "MAP2K6+ELMSAN1"], control="ctrl")["condition"].tolist()
    ['', 'KLF1', 'ELMSAN1+MAP2K6']
    """
    import pandas as pd

    flat = not isinstance(names, str) and hasattr(names, "__iter__") and getattr(names, "ndim", 1) == 1
    if not flat or not all(isinstance(name, Hashable) for name in names):
        raise InputError(f"names must be a list such as ['ctrl', 'KLF1+ctrl'], not {names!r}.")
    # pandas compares up to a zero byte, and would take two names for one.
    check_texts(names, "names", InputError)
    found = parsing.parse(
        pd.unique(pd.Series(list(names), dtype=object)), control=control, separator=separator, guide_suffix=guide_suffix
    )
    return pd.DataFrame(
        {
            "name": [each.name for each in found],
            "condition": [each.canonical for each in found],
            "n_targets": np.array([len(each.targets) for each in found], dtype=np.int64),
            "problem": [each.problem for each in found],
        }
    )

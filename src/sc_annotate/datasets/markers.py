"""Lists of marker genes that come with the package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sc_annotate._core.arguments import public
from sc_annotate._vocabulary.marker_lists.packaged import LISTS, packaged
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["marker_lists"]


@public
def marker_lists(name: str = "pbmc") -> pd.DataFrame:
    """A small list of marker genes that comes with the package.

    ``"pbmc"``: 17 types of human blood cells, with ids of the Cell Ontology. The genes are textbook markers, put down by
    hand from general knowledge of the papers below, which show most of them; nothing was learned from data. Genes that
    two neighbouring types share are in both lists, and genes that only one of them should lack speak against it.

    Parameters
    ----------
    name
        Name of the list: ``"pbmc"``.

    Returns
    -------
    One row a type and gene: ``type``, ``gene`` (symbols), ``weight`` (1 speaks for the type, -1 against it) and
    ``term_id``. :func:`sc_annotate.tl.annotate_markers` takes it as it is, or after you changed it.

    Raises
    ------
    InputError
        No such list.

    References
    ----------
    Zheng et al. 2017, Nature Communications 8:14049, doi 10.1038/ncomms14049. Villani et al. 2017, Science 356:eaah4573, doi
    10.1126/science.aah4573 (dendritic cells and monocytes). Hao et al. 2021, Cell 184:3573, doi 10.1016/j.cell.2021.04.048.
    Dominguez Conde et al. 2022, Science 376:eabl5197, doi 10.1126/science.abl5197.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> table = sca.datasets.marker_lists("pbmc")
    >>> table.loc[table["type"] == "B cell", "gene"].head(3).tolist()
    ['MS4A1', 'CD79A', 'CD79B']
    """
    import pandas as pd

    found = packaged(name)
    if found is None:
        raise InputError(f"there is no packaged list of markers {name!r}; there are: {', '.join(map(repr, LISTS))}.")
    return pd.DataFrame(found)

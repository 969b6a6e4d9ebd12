"""Read an ontology, or make one of a dict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sc_annotate._core.arguments import public
from sc_annotate._vocabulary.terms.ontology import Ontology
from sc_annotate._vocabulary.terms.open_ontology import open_ontology

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["Ontology", "read_ontology"]


@public
def read_ontology(source: Ontology | str | Path | Mapping[str, str | Sequence[str]] | None = None) -> Ontology:
    """Read the Cell Ontology or any other, or make a tree of your own.

    Parameters
    ----------
    source
        Path of an OBO file (``.obo`` or ``.obo.gz``); a dict from each name to its parent or parents, for a tree of your
        own; or None for the Cell Ontology that cellxgene-ontology-guide brings along (``pip install
        "sc-annotate[ontology]"``), which needs no network.

    Returns
    -------
    An :class:`~sc_annotate.pp.Ontology`. Every ``ontology=`` of this package takes it, and all that `source` takes.

    Raises
    ------
    InputError
        No such file, no OBO, an id that occurs twice, parents that are not there, or a cycle.
    MissingExtraError
        `source` is None and cellxgene-ontology-guide is not installed.

    Notes
    -----
    Only ``is_a`` counts as lying under something: what develops from, or is part of, another cell is not under it.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> tree = sca.pp.read_ontology({"CD4 T": "T", "CD8 T": "T", "T": "blood", "monocyte": "blood"})
    >>> tree
    Ontology of 5 terms (a tree)
    >>> tree.find("Monocytes")
    Found(id='monocyte', how='normalised')
    """
    return open_ontology(source)

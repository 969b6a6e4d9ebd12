"""Gene sets from GMT files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sc_annotate._core.arguments import public
from sc_annotate._core.text_sets import read_sets

if TYPE_CHECKING:
    import os


@public
def read_gmt(path: str | os.PathLike[str]) -> dict[str, list[str]]:
    r"""Gene sets of a GMT file (MSigDB, Enrichr, GO exports), plain or compressed (``.gz``).

    A line is the set's name, a description and its genes, separated by tabs. Weights after a comma (``GENE,0.7``, as
    Enrichr writes them) and empty fields are left out, and a gene counts once a set.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    Genes of each set, by its name, in the order of the file.

    Raises
    ------
    sc_annotate.errors.InputError
        No such file, a line with fewer than two fields, a name that occurs twice, or no set at all.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from sc_annotate.predictors import read_gmt
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "sets.gmt"
    >>> _ = path.write_text("INTERFERON\tof a test\tIRF1\tSTAT1\n")
    >>> read_gmt(path)
    {'INTERFERON': ['IRF1', 'STAT1']}
    """
    return read_sets(path)

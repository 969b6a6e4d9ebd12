"""Gene sets from GMT files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sc_annotate._core.arguments import public
from sc_annotate._core.text_tables import enough_memory, lines, read_text
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable


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
    with enough_memory(path, what="a GMT file"):
        return _parse(lines(read_text(path, what="a GMT file")), str(path))


def _parse(rows: Iterable[str], file: str) -> dict[str, list[str]]:
    sets: dict[str, list[str]] = {}
    for number, line in enumerate(rows, start=1):
        if not line.strip():
            continue
        name, *rest = line.split("\t")
        if not rest or not name.strip():
            raise InputError(
                f"line {number} of {file!r} is not of a GMT file: name, description and genes, separated by tabs."
            )
        if name.strip() in sets:
            raise InputError(f"{file!r} has two sets named {name.strip()!r}. Rename one of them.")
        genes = (field.partition(",")[0].strip() for field in rest[1:])
        sets[name.strip()] = list(dict.fromkeys(gene for gene in genes if gene))
    if not sets:
        raise InputError(f"{file!r} holds no gene sets.")
    return sets

"""Symbols of older releases of the gene names: no table, only a sign that one is needed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Genes that are expressed nearly everywhere and that HGNC has renamed since 2016, by families and one by one.
_RENAMED = re.compile(
    r"SEPT\d{1,2}|MARCH\d{1,2}|HIST[1-4]H\w+|ATP5(A1|B|C1|D|E|F1|G[123]|H|I|J|J2|L|O)|H2AF[JXYZ]|H3F3[AB]|H1F[0X]|TCEB[12]"
)
_OLD = frozenset(
    "C10orf54 C14orf2 C19orf43 CECR1 CTGF CYR61 FAM46A FAM46C FAM65B FAM96A FAM96B FAM129A FYB GARS GNB2L1 HN1 IL8 KIAA0101 "
    "LARS MINOS1 MKL1 MLLT4 NGFRAP1 NHP2L1 PTRF QARS SELK SELM SELT SEP15 SEPP1 SEPW1 SHFM1 STRA13 TMEM66 TMEM173 USMG5 VIMP "
    "WARS WBSCR22".split()
)
# What spreadsheets make of SEPT2 and MARCH1.
_DATE = re.compile(r"\d{1,2}-(Mar|Sep|Sept|Dec)", re.IGNORECASE)


def old_symbols(names: NDArray[np.str_]) -> list[str]:
    """Names that are symbols of an older release for certain, in their order; others may be old too."""
    return [name for name in names.tolist() if name in _OLD or _RENAMED.fullmatch(name)]


def dates(names: NDArray[np.str_]) -> list[str]:
    """Names that a spreadsheet turned into dates."""
    return [name for name in names.tolist() if _DATE.fullmatch(name)]

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
# What spreadsheets make of SEPT2 and MARCH1, in the layouts that they write and that pandas reads.
_MONTH = "(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)"
_DATE = re.compile(
    rf"\d{{1,2}}[-. ]{_MONTH}([-. ]\d{{2,4}})?|{_MONTH}-\d{{1,4}}|\d{{4}}-\d\d-\d\d([ T]00:00:00)?|\d{{1,2}}/\d{{1,2}}/\d{{2,4}}",
    re.IGNORECASE,
)
_MAY_BECOME_DATE = re.compile(r"(MARCH?|MARCHF|MTARC|SEPT|SEPTIN|DEC|DELEC)-?\d{1,2}", re.IGNORECASE)


def old_symbols(names: NDArray[np.str_]) -> list[str]:
    """Names that are symbols of an older release for certain, in their order; others may be old too."""
    return [name for name in names.tolist() if name in _OLD or _RENAMED.fullmatch(name)]


# Genes of worms: sep-1, dec-1, apr-1, jun-1.
_WORM = re.compile(r"[a-z]{3}-\d{1,3}")


def dates(names: NDArray[np.str_]) -> list[str]:
    """Names that a spreadsheet turned into dates."""
    return [name for name in names.tolist() if _DATE.fullmatch(name) and not _WORM.fullmatch(name)]


def may_become_date(name: str) -> bool:
    """Whether a spreadsheet makes a date of a symbol, or of what it was called before."""
    return _MAY_BECOME_DATE.fullmatch(name) is not None

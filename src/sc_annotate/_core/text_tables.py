"""Read tables of text, CSV or with tabs, plain or compressed."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd


def read_text(path: Path, *, sep: str, header: int | None = 0) -> pd.DataFrame:
    """Every field as it stands there ("NA" may be a gene), an empty one for none; a ValueError where that fails."""
    import pandas as pd

    try:
        with warnings.catch_warnings():
            # Rows that are longer than the header would lose their ends.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(
                path, sep=sep, header=header, dtype=str, keep_default_na=False, encoding="utf-8-sig", index_col=False
            )
    except Exception as error:  # each kind of compression has errors of its own
        raise ValueError(" ".join(str(error).split())[:200]) from error

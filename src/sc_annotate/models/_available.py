"""List published models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sc_annotate._core.arguments import boolean, one_of, public
from sc_annotate.interop import celltypist_hub

if TYPE_CHECKING:
    import pandas as pd

SOURCES = ("celltypist",)


@public
def available(source: str = "celltypist", *, refresh: bool = False) -> pd.DataFrame:
    """List the published models that :func:`sc_annotate.tl.annotate` takes by name, such as ``"celltypist:Immune_All_Low.pkl"``.

    The list of CellTypist is downloaded once and cached; with it cached, no connection is needed. The environment variable
    ``SC_ANNOTATE_CELLTYPIST_INDEX`` names the address of another list, such as that of a mirror.

    Parameters
    ----------
    source
        Who publishes them: ``"celltypist"``.
    refresh
        Download the list again.

    Returns
    -------
    A row per model: ``name``, ``details`` (tissue, species and what it was trained on, as published), ``n_types``, ``version``,
    ``date``, ``source`` (the paper), ``default`` (what CellTypist uses unless told otherwise), ``url`` and ``kept``, whether it has
    been downloaded and converted.

    Raises
    ------
    DownloadError
        The list cannot be downloaded, and none is cached (or `refresh` is set).
    InputError
        Another `source`, or a list that is damaged.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> sca.models.available()  # doctest: +SKIP
    >>> sca.tl.annotate(adata, "celltypist:Immune_All_Low.pkl")  # doctest: +SKIP
    """
    import pandas as pd

    one_of(source, "source", SOURCES)
    refresh = boolean(refresh, "refresh")
    rows = [
        {
            "name": model.name,
            "details": model.details,
            "n_types": model.n_types,
            "version": model.version,
            "date": model.date,
            "source": model.source,
            "default": model.default,
            "url": model.url,
            "kept": celltypist_hub.kept_model(model.name) is not None,
        }
        for model in celltypist_hub.listed(refresh=refresh).values()
    ]
    return pd.DataFrame(rows).astype({"n_types": "Int64"})

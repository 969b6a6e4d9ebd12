"""Read a fitted model from a file, an address or a list of shared models."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sc_annotate._data.addresses import check_url, is_url
from sc_annotate._data.download import MODEL, check_sha256, fetch, sha256_of
from sc_annotate.annotation.read_model import read_model
from sc_annotate.errors import InputError, ModelFileError
from sc_annotate.interop.celltypist_hub import PREFIX
from sc_annotate.interop.shared_models import look_up

if TYPE_CHECKING:
    from collections.abc import Callable


def load(
    source: str | os.PathLike[str],
    *,
    sha256: str | None = None,
    registry: str | os.PathLike[str] | None = None,
    refresh: bool = False,
    read: Callable[[str | os.PathLike[str]], Any] = read_model,
) -> Any:
    """What `read` finds in a file, at an address, of a name in a registry or of CellTypist; checked, and nothing executed."""
    if not isinstance(source, str | os.PathLike):
        raise InputError(f"source must be a path, an address or the name of a model, not {type(source).__name__}.")
    wanted, where = check_sha256(sha256), source
    if isinstance(source, str) and source.startswith(PREFIX):
        if registry is not None:
            raise InputError(f"registry: {source!r} is a name in CellTypist's own list. Leave registry out.")
        from sc_annotate.annotation.load_celltypist import load_celltypist

        return load_celltypist(source, sha256=wanted, refresh=refresh)
    if registry is not None:
        shared = look_up(str(source), registry)
        if wanted not in (None, shared.sha256):
            raise InputError(
                f"the registry has sha256 {shared.sha256} for {str(source)!r}, not {wanted}: leave sha256 out, or ask whoever "
                "keeps the registry."
            )
        wanted, where = shared.sha256, shared.where
        if is_url(where):
            # A list from another machine must not redirect to this one.
            check_url(where, checked=True, after=str(registry) if is_url(registry) else None)
    if is_url(where):
        return read(fetch(str(where), sha256=wanted, refresh=refresh, check=read, kind=MODEL))
    if refresh:
        raise InputError(f"refresh: {str(where)!r} is a file, which is read again each time. Leave it out.")
    if wanted is not None and os.path.isfile(where) and (found := sha256_of(Path(where))) != wanted:
        raise ModelFileError(
            f"{str(where)!r} is another file than the requested one: its sha256 is {found}, not {wanted}."
        )
    if registry is None and Path(where).suffix in ("", ".pkl") and not os.path.exists(where):
        raise ModelFileError(
            f"there is no model file {str(where)!r}. A name of a shared model needs its list: "
            f"sca.load({str(where)!r}, registry=...). A model that CellTypist publishes: {PREFIX + Path(where).name!r}."
        )
    return read(where)

"""Read a fitted model from a file, an address or a list of shared models."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from sc_annotate._data.download import check_sha256, fetch, is_url, sha256_of
from sc_annotate.annotation.read_model import read_model
from sc_annotate.errors import InputError, ModelFileError
from sc_annotate.interop.shared_models import look_up

if TYPE_CHECKING:
    from sc_annotate.annotation.model import AnnotationModel


def load(
    source: str | os.PathLike[str],
    *,
    sha256: str | None = None,
    registry: str | os.PathLike[str] | None = None,
    refresh: bool = False,
) -> AnnotationModel:
    """Read a model written by :meth:`AnnotationModel.save`, from a file or from the web.

    Everything in the file is checked, and nothing in it is executed. A downloaded file is kept (in
    ``$SC_ANNOTATE_CACHE``, else in the folder that the system has for such files) and taken from there from then on, without
    a connection too: the model of an address never changes unasked.

    Parameters
    ----------
    source
        Path of a ``.safetensors`` file; its https address; or, with `registry`, the name of a model.
    sha256
        Checksum that the file must have, 64 hexadecimal digits. Without it, the one of a downloaded file is logged, to be
        passed from then on. An address that is http and not https needs it.
    registry
        A list of shared models, as path or https address: a text file with lines ``name sha256 address``, where an address
        may be relative to the list, and ``#`` starts a remark. A list on the web is read anew each time, and taken as it
        was the last time where there is no connection.
    refresh
        Download again, whatever is kept. A warning is logged where the file is another one than before.

    Raises
    ------
    ModelFileError
        The file is absent, damaged, of another kind (a pickle, say), made by a newer version, has another checksum, or
        cannot be downloaded.
    InputError
        An address that is neither http nor https, or http without a checksum; a name that the registry lacks (near ones
        are listed); a registry that cannot be read.
    MethodError, MissingExtraError
        The method of the model is not installed.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> sca.load("pbmc.pkl")
    Traceback (most recent call last):
    ...
    sc_annotate.errors.ModelFileError: there is no model file 'pbmc.pkl'.
    >>> model = sca.load("pbmc", registry="https://lab.example/models.txt")  # doctest: +SKIP
    """
    if not isinstance(source, str | os.PathLike):
        raise InputError(f"source must be a path, an address or the name of a model, not {type(source).__name__}.")
    wanted, where = check_sha256(sha256), source
    if registry is not None:
        shared = look_up(str(source), registry)
        if wanted not in (None, shared.sha256):
            raise InputError(
                f"the registry has sha256 {shared.sha256} for {str(source)!r}, not {wanted}: leave sha256 out, or ask whoever "
                "keeps the registry."
            )
        wanted, where = shared.sha256, shared.where
    if is_url(where):
        return read_model(fetch(str(where), sha256=wanted, refresh=refresh, check=read_model))
    if wanted is not None and Path(where).is_file() and (found := sha256_of(Path(where))) != wanted:
        raise ModelFileError(
            f"{str(where)!r} is another file than the one asked for: its sha256 is {found}, not {wanted}."
        )
    if registry is None and not Path(where).suffix and not Path(where).exists():
        raise ModelFileError(
            f"there is no model file {str(where)!r}. A name of a shared model needs its list: "
            f"sca.load({str(where)!r}, registry=...)."
        )
    return read_model(where)

"""Load fitted models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sc_annotate._core.arguments import public
from sc_annotate._store import modelfile
from sc_annotate.annotation import load as loading
from sc_annotate.annotation.read_model import read_model

if TYPE_CHECKING:
    import os

    from sc_annotate.annotation.model import AnnotationModel
    from sc_annotate.representation.model import EncoderModel


@public
def load(
    source: str | os.PathLike[str],
    *,
    sha256: str | None = None,
    registry: str | os.PathLike[str] | None = None,
    refresh: bool = False,
) -> AnnotationModel | EncoderModel:
    """Read a model written by :meth:`AnnotationModel.save`, or an encoder of :meth:`EncoderModel.save`, from a file or the web.

    The whole file is checked, and nothing in it is executed. A downloaded file is cached (in
    ``$SC_ANNOTATE_CACHE``, else in the cache folder of the system) and read from there from then on, without a connection
    too: the model of an address never changes unless `refresh` is set.

    Parameters
    ----------
    source
        Path of a ``.safetensors`` file; its https address; with `registry`, the name of a model; or
        ``"celltypist:Immune_All_Low.pkl"``, a model that CellTypist publishes (:func:`sc_annotate.models.available` lists them):
        it is downloaded, read without running the pickle, converted as by :func:`convert_celltypist`, and cached.
    sha256
        Checksum that the file must have, 64 hexadecimal digits; of a model of CellTypist, that of its pickle. Without it, the one of a downloaded file is logged, to be
        passed from then on. An address that is http and not https needs it.
    registry
        A list of shared models, as path or https address: a text file with lines ``name sha256 address``, where an address
        may be relative to the list, and ``#`` starts a remark. A list on the web is read again each time, and taken as it
        was the last time where there is no connection.
    refresh
        Download again, even if a copy is kept. A warning is logged where the file has changed. Refused for a file.

    Raises
    ------
    ModelFileError
        The file is absent, damaged, of another kind (a pickle, say), made by a newer version, or has another checksum.
    DownloadError
        The file cannot be downloaded, has another checksum than `sha256`, is larger than ``sca.settings.max_download_bytes``
        (250 MB for a model), or comes too slowly.
    InputError
        An address that is neither http nor https, or http without a checksum; a name that the registry lacks (near ones
        are listed); a registry that cannot be read.
    MethodError, MissingExtraError
        The method of the model is not installed.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> sca.load("pbmc.pkl")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    sc_annotate.errors.ModelFileError: there is no model file 'pbmc.pkl'. ...
    >>> model = sca.load("pbmc", registry="https://lab.example/models.txt")  # doctest: +SKIP
    >>> model = sca.load("celltypist:Immune_All_Low.pkl")  # doctest: +SKIP
    """
    found: AnnotationModel | EncoderModel = loading.load(
        source, sha256=sha256, registry=registry, refresh=refresh, read=_read
    )
    return found


def _read(path: str | os.PathLike[str]) -> AnnotationModel | EncoderModel:
    """Whichever of the two a file holds."""
    from sc_annotate.representation.encoder_file import is_encoder, read_encoder

    return read_encoder(path) if is_encoder(modelfile.load(path)[1]) else read_model(path)

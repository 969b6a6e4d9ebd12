"""Load a model that CellTypist publishes, by its name: downloaded, read without running it, converted and kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sc_annotate._core.codec import shown
from sc_annotate._core.settings import logger
from sc_annotate._data.addresses import without_login
from sc_annotate._data.download import downloaded
from sc_annotate.annotation.convert_celltypist import convert_parts
from sc_annotate.annotation.read_model import read_model
from sc_annotate.errors import DownloadError, ModelFileError
from sc_annotate.interop import celltypist_hub as hub
from sc_annotate.interop.celltypist_model import from_file

if TYPE_CHECKING:
    from pathlib import Path

    from sc_annotate.annotation.model import AnnotationModel
    from sc_annotate.interop.celltypist_model import Parts


def load_celltypist(source: str, *, sha256: str | None, refresh: bool) -> AnnotationModel:
    """The model of a name, ``celltypist:NAME``; the cached one, unless `refresh` or another `sha256` is requested."""
    name = hub.file_name(source.removeprefix(hub.PREFIX))
    before = hub.kept_model(name, sha256)
    if before is not None and not refresh:
        try:
            return read_model(before.path)
        except ModelFileError as error:
            logger.info(f"the cached model is converted again: {error}")
    try:
        listed = hub.find(name, refresh=refresh)
        return _download(listed, sha256, None if before is None else before.sha256)
    except DownloadError as error:
        raise DownloadError(f"the model {shown(hub.PREFIX + name)} is not available: {error}") from error


def _download(listed: hub.Listed, sha256: str | None, before: str | None) -> AnnotationModel:
    parts: list[Parts] = []

    def check(path: Path) -> None:
        parts[:] = [from_file(path)]

    hub.check_address(listed, checked=sha256 is not None)
    # The pickle itself is not kept.
    with downloaded(listed.url, sha256=sha256, check=check, kind=hub.HUB_MODEL, before=before) as (_, found):
        origin = {
            "url": without_login(listed.url),
            "sha256": found,
            "version": listed.version,
            "published": listed.date,
        }
        model = convert_parts(parts[0], listed.name, {key: text for key, text in origin.items() if text})
        path = hub.converted(found)
        model.save(path, overwrite=True)
        hub.note_model(listed.name, found, listed.url)
    name = hub.PREFIX + listed.name
    if before not in (None, found):
        logger.warning(f"{name!r} holds another file than before: its sha256 is {found}, and was {before}")
    elif sha256 is None:
        logger.warning(
            f"{name!r} downloaded; to get exactly this file every time: sca.load({name!r}, sha256={found!r})"
        )
    return model

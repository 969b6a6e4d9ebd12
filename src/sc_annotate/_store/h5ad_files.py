"""h5ad files that appear whole or not at all."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sc_annotate._core.files import one_line, temporary_file
from sc_annotate._store.kinds_of_files import refuse_other_kinds
from sc_annotate._store.slots import Slots
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anndata import AnnData


def read_h5ad(path: str, *, backed: bool = False) -> AnnData:
    """An h5ad file; its matrices stay in it where `backed`."""
    import anndata as ad

    file = Path(path)
    refuse_other_kinds(path)
    try:
        return ad.read_h5ad(file, backed="r" if backed else None)
    except Exception as error:
        if isinstance(error, BlockingIOError) or "unable to lock file" in str(error):
            raise InputError(
                f"{path!r} is open for writing in another program or notebook. Close it there (`adata.file.close()`), or use "
                "a copy of the file."
            ) from error
        raise InputError(f"{path!r} cannot be read as h5ad: {one_line(error)[:300]}") from error


def write_h5ad(adata: AnnData, output: Path) -> None:
    """Write all of an object."""
    with _temporary(output) as temporary:
        adata.write_h5ad(temporary)


def write_results(query: str, adata: AnnData, key: str, output: Path) -> None:
    """A copy of the query's file with the results of `adata` in it; its matrices are never in memory."""
    import h5py
    from anndata.io import write_elem

    slots = Slots(key)
    places = (("obsm", slots.obsm, adata.obsm), ("uns", (slots.uns, slots.colors), adata.uns))
    with _temporary(output) as temporary:
        shutil.copyfile(query, temporary)
        with h5py.File(temporary, "r+") as file:
            write_elem(file, "obs", adata.obs)
            for group, names, values in places:
                for name in names:
                    if name in values:
                        write_elem(file.require_group(group), name, values[name])
                    elif f"{group}/{name}" in file:
                        del file[f"{group}/{name}"]


@contextmanager
def _temporary(output: Path) -> Iterator[Path]:
    """A file beside `output` that takes its place once it is written."""
    import anndata as ad

    # Files of newer versions hold strings of a kind that older ones read, but write only if set to.
    with temporary_file(output) as temporary, ad.settings.override(allow_write_nullable_strings=True):
        try:
            yield temporary
        except OSError:
            raise
        except Exception as error:
            raise InputError(f"the result cannot be written as h5ad: {one_line(error)[:300]}") from error

"""What a file is that is no h5ad file, and how to make one of it."""

from __future__ import annotations

import os
from pathlib import Path

from sc_annotate.errors import InputError

_ZARR = (".zgroup", ".zattrs", "zarr.json")
_STARTS = {
    b"\x1f\x8b": "is compressed with gzip. Unpack it first (`gunzip`)",
    b"BZh": "is compressed with bzip2. Unpack it first (`bunzip2`)",
    b"\xfd7zXZ": "is compressed with xz. Unpack it first (`unxz`)",
    b"\x28\xb5\x2f\xfd": "is compressed with Zstandard. Unpack it first (`unzstd`)",
    b"PK\x03\x04": "is a zip archive. Unpack it first",
}
_HDF5 = b"\x89HDF\r\n\x1a\n"
# What h5py raises of files that are locked or cut short (OSError), of broken links and attributes, and of types and texts that
# it cannot convert.
_UNREADABLE = (OSError, RuntimeError, KeyError, ValueError, TypeError)


def refuse_other_kinds(path: str) -> None:
    """An InputError for what is no h5ad file, with how to make one of it where that is known."""
    file, shown = Path(path), repr(path)
    try:
        if file.is_dir():
            if any((file / name).exists() for name in _ZARR):
                raise InputError(
                    f"{shown} is a zarr store. Make an h5ad file of it: `anndata.read_zarr({shown}).write_h5ad('cells.h5ad')`."
                )
            raise InputError(f"{shown} is a folder. Name an h5ad file.")
        if not file.exists():
            raise InputError(f"there is no file {shown}.")
        if not file.is_file():
            raise InputError(f"{shown} is no usual file. Name an h5ad file.")
        with file.open("rb") as opened:
            start = opened.read(16)
            size = os.fstat(opened.fileno()).st_size
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{shown} cannot be read: {reason}.") from error
    if not size:
        raise InputError(f"{shown} is empty (0 bytes). Get or write it again.")
    for begins, what in _STARTS.items():
        if start.startswith(begins):
            raise InputError(f"{shown} {what}.")
    if start.startswith(_HDF5):
        _refuse_other_hdf5(file, shown)


def _refuse_other_hdf5(file: Path, shown: str) -> None:
    import h5py

    try:
        with h5py.File(file, "r") as opened:
            kind, names = opened.attrs.get("encoding-type", ""), set(opened)
    except _UNREADABLE:
        # Damaged or locked, of which anndata's own error says more.
        return
    if kind == "MuData" or "mod" in names:
        raise InputError(
            f"{shown} is a MuData file. Write one modality to a file of its own: `mudata.read({shown})['rna']"
            ".write_h5ad('rna.h5ad')`."
        )
    if "obs" in names and "var" in names:
        return
    if "matrix" in names and {"row_attrs", "col_attrs"} <= names:
        how = f"is a loom file. Make an h5ad file of it: `scanpy.read_loom({shown}).write_h5ad('cells.h5ad')`"
    elif "matrix" in names:
        how = (
            f"is a file of Cell Ranger. Make an h5ad file of it: `scanpy.read_10x_h5({shown}).write_h5ad('cells.h5ad')`"
        )
    else:
        how = "is an HDF5 file without cells (obs) and genes (var), and so no h5ad file"
    raise InputError(f"{shown} {how}.")

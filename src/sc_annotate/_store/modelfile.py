"""The file format of fitted models: one safetensors file whose metadata carries a JSON text.

Nothing in it is executed, and no pickle is read or written.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.files import not_written, output_file, temporary_file
from sc_annotate.errors import InputError, ModelFileError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

FORMAT = "sc_annotate.model"
FORMAT_NUMBER = 2
READABLE = (1, FORMAT_NUMBER)
"""Format 1 has no batches as units, no calibration by depth or genes, and no kept cells."""
SUFFIX = ".safetensors"
LONGEST = 64_000_000
"""Characters of the longest description: parsed, a text takes many times its length."""
MOST_TENSORS = 4_000_000
"""Bytes of a header beside the description."""


def save(
    path: str | os.PathLike[str],
    arrays: Mapping[str, NDArray[Any]],
    meta: Mapping[str, Any],
    *,
    overwrite: bool = False,
) -> Path:
    """Write arrays and metadata; the file appears whole or not at all. A link stays, and what it names is written."""
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    target = output_file(path, SUFFIX, what="a model file", overwrite=overwrite)
    for name, array in arrays.items():
        if np.asarray(array).dtype.kind not in "biuf":
            raise InputError(
                f"the array {name!r} holds {np.asarray(array).dtype}; a model file holds arrays of numbers only."
            )
    try:
        described = {"format": FORMAT, "format_number": FORMAT_NUMBER, **meta}
        text = json.dumps({"sha256": digest(arrays, described), **described}, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError(f"the description of the model cannot be written as JSON ({error}).") from error
    if len(text) > LONGEST:
        raise InputError(
            f"the description of the model has {len(text):,} characters; a model file holds at most {LONGEST:,}."
        )
    with temporary_file(target) as temporary:
        try:
            save_file(
                {k: np.asarray(v, order="C") for k, v in arrays.items()}, temporary, metadata={"sc_annotate": text}
            )
        except SafetensorError as error:
            raise InputError(not_written(path, error)) from error
    return Path(path)


def load(path: str | os.PathLike[str]) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Read arrays and metadata; whatever is wrong with the file is a :class:`ModelFileError`."""
    from safetensors import SafetensorError, safe_open

    file = Path(path)
    try:
        if not file.is_file():
            raise ModelFileError(f"there is no model file {str(file)!r}.")
        _refuse_other_formats(file)
        with safe_open(file, framework="numpy") as opened:
            text = (opened.metadata() or {}).get("sc_annotate")
            arrays = {name: opened.get_tensor(name) for name in opened.keys()}
    except ModelFileError:
        raise
    except (
        SafetensorError,
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        OverflowError,
        MemoryError,
    ) as error:
        raise ModelFileError(
            f"{str(file)!r} is damaged or no safetensors file ({error}). Get or save it again."
        ) from error
    if text is None:
        raise ModelFileError(
            f"{str(file)!r} is a safetensors file, but not of sc_annotate. Save it with `model.save(path)`."
        )
    try:
        meta = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"the description in {str(file)!r} is damaged ({error}). Get or save it again.") from error
    if not isinstance(meta, dict) or meta.get("format") != FORMAT:
        raise ModelFileError(f"{str(file)!r} does not describe a model of sc_annotate.")
    number = meta.get("format_number")
    if isinstance(number, bool) or number not in READABLE:
        raise ModelFileError(
            f"{str(file)!r} has format number {repr(number)[:40]}; this version reads {' and '.join(map(str, READABLE))}. "
            "Update sc-annotate, or fit the model again."
        )
    checksum = meta.pop("sha256", None)
    try:
        intact = not (arrays or checksum is not None) or checksum == digest(arrays, meta)
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"the description in {str(file)!r} is damaged ({error}). Get or save it again.") from error
    if not intact:
        raise ModelFileError(f"{str(file)!r} is damaged (another checksum). Get or save it again.")
    return arrays, meta


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number that JSON has")


def digest(arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> str:
    """Checksum of the description, and of all arrays, their names, kinds and shapes."""
    found = hashlib.sha256(json.dumps(meta, sort_keys=True, allow_nan=False).encode())
    for name, held in sorted(arrays.items()):
        # The file is little-endian, whatever the machine.
        array = held.astype(held.dtype.newbyteorder("<"), copy=False)
        found.update(f"{name} {array.dtype.str} {array.shape}".encode("utf-8", "surrogatepass"))
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def _refuse_other_formats(file: Path) -> None:
    with file.open("rb") as opened:
        start = opened.read(9)
        size = os.fstat(opened.fileno()).st_size
    # The first eight bytes of a safetensors file are a length, which may look like a pickle's first two; then comes "{".
    if start[:2] in {b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"} and start[8:] != b"{":
        raise ModelFileError(
            f"{str(file)!r} is a pickle. Reading one can run any code, so sc_annotate never does; "
            "fit the model again with `sca.tl.fit_annotator` and save it with `model.save(path)`. A model of CellTypist: "
            "`sca.tl.convert_celltypist(path, trust_pickle=True)`."
        )
    length = int.from_bytes(start[:8], "little")
    if start[8:] == b"{" and (length > LONGEST + MOST_TENSORS or length > size - 8):
        # Checked before memory is allocated.
        raise ModelFileError(
            f"{str(file)!r} claims a header of {length:,} bytes, which no model has. Get or save it again."
        )
    if start.startswith(b"\x89HDF\r\n\x1a\n"):
        raise ModelFileError(f"{str(file)!r} is an HDF5 file, not a model. Read it with anndata and pass the AnnData.")

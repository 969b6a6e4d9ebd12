"""Checkpoints of a training as safetensors and JSON: Lightning's own files are pickles, which run code when read."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from lightning.pytorch.plugins.io import CheckpointIO
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from sc_annotate.errors import ModelFileError
from sc_annotate.neural.folders import not_written

if TYPE_CHECKING:
    from collections.abc import Callable


class SafeCheckpoints(CheckpointIO):
    """Writes what Lightning hands over, tensors apart from plain values; a file is whole or not there."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any = None
    ) -> None:
        tensors: dict[str, torch.Tensor] = {}
        text = json.dumps(_plain(checkpoint, tensors))
        target = Path(path)
        partial = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            save_file(tensors, partial, metadata={"state": text})
            partial.replace(target)
        except (OSError, SafetensorError) as error:
            # A full disk, or a folder that has gone meanwhile; the state of the epoch before stays.
            raise not_written(target.parent, error) from error
        finally:
            with suppress(OSError):
                partial.unlink(missing_ok=True)

    def load_checkpoint(
        self, path: str | os.PathLike[str], map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        try:
            with safe_open(path, framework="pt") as file:
                text = (file.metadata() or {})["state"]
                return dict(_restored(json.loads(text), file.get_tensor))
        except Exception as error:
            raise ModelFileError(
                f"{Path(path).name!r} is no checkpoint of a training, or is damaged. Remove it to train from the start."
            ) from error

    def remove_checkpoint(self, path: str | os.PathLike[str]) -> None:
        Path(path).unlink(missing_ok=True)


def _plain(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    """`value` as JSON can hold it; tensors are moved into `tensors`. Numbers may be keys, hence the pairs."""
    if isinstance(value, torch.Tensor):
        name = str(len(tensors))
        tensors[name] = value.detach().cpu().contiguous().clone()
        return {"tensor": name}
    if isinstance(value, dict):
        return {"pairs": [[key, _plain(item, tensors)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        return [_plain(item, tensors) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"a checkpoint cannot hold a {type(value).__name__}")


def _restored(value: Any, tensor: Callable[[str], torch.Tensor]) -> Any:
    if isinstance(value, list):
        return [_restored(item, tensor) for item in value]
    if not isinstance(value, dict):
        return value
    if "tensor" in value:
        return tensor(value["tensor"])
    return {key: _restored(item, tensor) for key, item in value["pairs"]}

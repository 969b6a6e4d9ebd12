"""Changes to model files: of what they state, of their arrays, of their bytes; the checksum is made right."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

from sc_annotate._store import modelfile

if TYPE_CHECKING:
    from pathlib import Path

VALUES: tuple[Any, ...] = (
    None, True, 0, 1, -1, 2**31, 2**70, -(2**63), 0.5, -0.5, 1e300, float("nan"), float("inf"), "", "x", "a/b", "a\0", "\ud800",
    "\n", "<script>", "y" * 3_000_000, [], {}, [1, "x"], [[]], {"": 1}, {"columns": {}, "dtypes": {}},
)  # fmt: skip


def read(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Arrays and description."""
    with safe_open(path, framework="numpy") as opened:
        return {k: opened.get_tensor(k) for k in opened.keys()}, json.loads(opened.metadata()["sc_annotate"])


def forge(path: Path, arrays: dict[str, Any], meta: dict[str, Any]) -> None:
    """Write them with a checksum that is right, where there can be one."""
    meta = {k: v for k, v in meta.items() if k != "sha256"}
    try:
        checksum = modelfile.digest(arrays, meta)
    except ValueError:
        checksum = ""
    text = json.dumps({"sha256": checksum, **meta})
    save_file({k: np.ascontiguousarray(v) for k, v in arrays.items()}, path, metadata={"sc_annotate": text})


def mutate(
    arrays: dict[str, Any], meta: dict[str, Any], rng: np.random.Generator
) -> tuple[dict[str, Any], dict[str, Any], str]:
    """Copies with one to three changes, and what they are."""
    arrays, meta, done = dict(arrays), copy.deepcopy(meta), []
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        done.append(_of_arrays(arrays, rng) if rng.random() < 0.4 else _of_meta(meta, rng))
    return arrays, meta, "; ".join(done)


def _paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Ways to all parts; of long lists to a few entries."""
    keys = list(value) if isinstance(value, dict) else range(min(3, len(value))) if isinstance(value, list) else ()
    return [at] * bool(at) + [path for key in keys for path in _paths(value[key], (*at, key))]


def _of_meta(meta: dict[str, Any], rng: np.random.Generator) -> str:
    paths = [path for path in _paths(meta) if path[0] not in ("sha256", "format")]
    path = paths[rng.integers(len(paths))]
    holder: Any = meta
    for key in path[:-1]:
        holder = holder[key]
    old = holder[path[-1]]
    if isinstance(old, list) and len(old) > 1 and rng.random() < 0.5:
        how = rng.choice(["shuffle", "drop one", "twice", "reverse"])
        changed = list(old)
        if how == "shuffle":
            changed = [changed[i] for i in rng.permutation(len(changed))]
        elif how == "reverse":
            changed = changed[::-1]
        else:
            changed = changed[1:] if how == "drop one" else [*changed, changed[0]]
        holder[path[-1]] = changed
    elif rng.random() < 0.2 and isinstance(holder, dict):
        how = "drop"
        del holder[path[-1]]
    elif rng.random() < 0.1 and isinstance(holder, dict):
        how = "unknown key"
        holder["unknown"] = VALUES[rng.integers(len(VALUES))]
    elif rng.random() < 0.05:
        how, deep = "nested", []
        for _ in range(200):
            deep = [deep]
        holder[path[-1]] = deep
    else:
        new = VALUES[rng.integers(len(VALUES))]
        how = f"= {repr(new)[:30]}"
        holder[path[-1]] = copy.deepcopy(new)
    return f"{'.'.join(map(str, path))[:80]} {how}"


def _of_arrays(arrays: dict[str, Any], rng: np.random.Generator) -> str:
    names = sorted(arrays)
    if not names:
        return "no arrays"
    name = names[rng.integers(len(names))]
    array = arrays[name]
    how = str(rng.choice(["drop", "swap", "dtype", "shape", "value", "value", "value", "permute", "all", "add", "cut"]))
    if how == "drop":
        del arrays[name]
    elif how == "swap":
        other = names[rng.integers(len(names))]
        arrays[name], arrays[other] = arrays[other], arrays[name]
    elif how == "dtype":
        with np.errstate(all="ignore"):
            arrays[name] = array.astype(rng.choice(["f2", "f4", "f8", "i1", "i4", "i8", "u1", "?"]))
    elif how == "shape":
        arrays[name] = array.T if array.ndim > 1 and rng.random() < 0.5 else array[None]
    elif how == "cut":
        arrays[name] = array[:-1] if rng.random() < 0.5 else array[:0]
    elif how == "add":
        arrays[f"{name}_more"] = array
    else:
        changed = np.array(array)
        if changed.dtype.kind == "f":
            values = [np.nan, np.inf, -np.inf, 0.0, -1.0, 1e9, -1e9, 1e30, 1e-30, 3e38]
        else:
            values = [0, -1, -2, 1, 1000, 2**31 - 1, -(2**31)] if changed.dtype.kind in "iu" else [0, 1]
        if changed.size and how == "value":
            changed.flat[rng.integers(changed.size)] = rng.choice(values)
        elif changed.size and how == "all":
            changed[...] = rng.choice(values)
        else:
            changed = rng.permutation(changed)
        arrays[name] = changed
    return f"{name} {how}"


def broken_bytes(content: bytes, rng: np.random.Generator) -> bytes:
    """A file cut, or with some bytes changed, half of them in its header."""
    if rng.random() < 0.3:
        return content[: rng.integers(len(content))]
    out = bytearray(content)
    header = 8 + int.from_bytes(content[:8], "little")
    for _ in range(rng.integers(1, 6)):
        out[rng.integers(header if rng.random() < 0.5 else len(out))] = rng.integers(256)
    return bytes(out)

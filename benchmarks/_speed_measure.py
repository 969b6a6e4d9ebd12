"""Seconds and memory of a call."""

from __future__ import annotations

import ctypes
import datetime
import gc
import os
import platform
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PACKAGES = (
    "sc-annotate numpy scipy numba scikit-learn anndata scanpy celltypist h5py zarr dask distributed pandas".split()
)


def once(call: Callable[[], Any]) -> float:
    gc.collect()
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def in_turn(calls: Mapping[str, Callable[[], Any]], rounds: int, *, warm: bool = True) -> dict[str, list[float]]:
    """Seconds of each call in each round. All calls take their turn in a round, so that a busy spell hits all."""
    if warm:
        for name, call in calls.items():
            print(f"  first call of {name}: {once(call):.2f} s", file=sys.stderr, flush=True)
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            taken[name].append(once(call))
            print(f"  {name}: {taken[name][-1]:.2f} s", file=sys.stderr, flush=True)
    return taken


def resident(entry: str) -> int:
    """Bytes of VmRSS (now) or VmHWM (highest so far) of this process, as Linux tells them."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(entry))


def extra_memory(call: Callable[[], Any]) -> int:
    """How far resident memory rises above what it was before the call: the kernel's own high-water mark, reset before.

    Freed memory that the allocator keeps is given back first, since it would hide what the call takes.
    """
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    before = resident("VmRSS")
    call()
    return resident("VmHWM") - before


def machine() -> dict[str, Any]:
    """What the numbers depend on, without the name of the machine."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    if "sc-annotate" not in found:
        import sc_annotate

        found = {"sc-annotate": sc_annotate.__version__} | found
    threads = {name: os.environ[name] for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS") if name in os.environ}
    return {
        "date": str(datetime.datetime.now(tz=datetime.UTC).date()),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9),
        "system": platform.system(),
        "python": platform.python_version(),
        "versions": found,
        "threads": threads,
    }

"""Stages of speed.py on files and clusters; run as a script, one job in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from _speed_measure import resident

JOBS = ("read", "fit", "labels", "annotate")
LONGEST = 300  # seconds after which nothing is repeated


def job(what: str, path: Path, model_path: Path) -> dict[str, float]:
    """Seconds of one job on a backed file and the highest resident memory of the process, its imports included."""
    import anndata as ad

    import sc_annotate as sca

    sca.settings.progress = False
    data = ad.read_h5ad(path, backed="r")
    model = sca.load(model_path) if what in ("labels", "annotate") else None
    if model is not None:
        # Loads packages and what is compiled at the first call.
        sca.tl.annotate(data[:1000].to_memory(), model)
    before = resident("VmHWM")
    start = time.perf_counter()
    if what == "read":
        X = data.X
        for low in range(0, data.n_obs, sca.settings.block_size):
            X[low : low + sca.settings.block_size]
    elif what == "fit":
        model = sca.tl.fit_annotator(data, "cell_type")
    elif what == "labels":
        sca.tl.annotate(data, model, trust=sca.trust.Options(false_positive_rate=None, check_quality=False))
    else:
        sca.tl.annotate(data, model)
    seconds = time.perf_counter() - start
    if what == "fit" and not model_path.exists():
        model.save(model_path)
    return {"seconds": seconds, "peak_mb": resident("VmHWM") / 1e6, "before_mb": before / 1e6}


def backed(sizes: list[int], rounds: int, folder: Path) -> dict[str, Any]:
    """Reading, fitting and annotating files of several sizes."""
    from _speed_data import CHUNK, Tissue
    from _speed_memory import EASY

    tissue = Tissue(10, EASY)
    found: dict[str, Any] = {}
    model = folder / "speed_model.safetensors"
    model.unlink(missing_ok=True)
    files: list[Path] = []
    began = time.perf_counter()
    try:
        for n in sizes:
            path = folder / f"speed_{n}.h5ad"
            files.append(path)
            start = time.perf_counter()
            tissue.write(path, n, seed=n)
            print(f"  wrote {n:,} cells in {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
        for n, path in zip(sizes, files, strict=True):
            found[str(n)] = {"file_mb": path.stat().st_size / 1e6, "jobs": {}}
        for turn in range(rounds):
            # The first job on a file that was just written waits for the disk, so that the largest is repeated first.
            for n, path in list(zip(sizes, files, strict=True))[:: -1 if turn else 1]:
                for what in JOBS:
                    if turn and (what == "fit" or time.perf_counter() - began > LONGEST):
                        continue
                    own = run(what, path, model)
                    print(f"  {n:,} {what}: {own}", file=sys.stderr, flush=True)
                    found[str(n)]["jobs"].setdefault(what, []).append(own)
    finally:
        for path in (*files, model):
            path.unlink(missing_ok=True)
    return {"chunk": CHUNK, "compression": None, "sizes": found}


def run(what: str, path: Path, model: Path) -> dict[str, Any]:
    command = [sys.executable, __file__, what, str(path), str(model)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"error": (done.stderr.strip().splitlines() or ["no words"])[-1], "returncode": done.returncode}
    return json.loads(done.stdout.splitlines()[-1])


def same(n: int, folder: Path) -> dict[str, Any]:
    """Whether it makes a difference where the cells are."""
    import shutil

    import anndata as ad
    import dask.array as da
    import numpy as np
    from _speed_data import Tissue
    from _speed_memory import EASY
    from distributed import Client, LocalCluster

    import sc_annotate as sca

    tissue = Tissue(10, EASY)
    model = sca.tl.fit_annotator(tissue.counts(5000, 1), "cell_type")
    memory = tissue.counts(n, 0)
    path = folder / "speed_same.h5ad"
    zarr = folder / "speed_same.zarr"
    tissue.write(path, n, 0)
    memory.write_zarr(zarr)

    def chunked() -> ad.AnnData:
        return ad.AnnData(da.from_array(memory.X, chunks=(3000, -1), asarray=False), obs=memory.obs, var=memory.var)

    def annotated(data: ad.AnnData) -> dict[str, Any]:
        sca.tl.annotate(data, model)
        out = {name: np.asarray(data.obs[f"annotation{name}"]) for name in ("", "_status", "_unfamiliarity")}
        return out | {"proba": np.asarray(data.obsm["annotation_proba"])}

    def backed_file() -> ad.AnnData:
        return ad.read_h5ad(path, backed="r")

    def lazy() -> ad.AnnData:
        return ad.experimental.read_lazy(zarr)

    found, truth = {}, annotated(memory)

    def compare(name: str, make: Any) -> None:
        try:
            own = annotated(make())
        except Exception as error:  # noqa: BLE001
            found[name] = {"error": f"{type(error).__name__}: {error}"[:200]}
            return
        found[name] = {
            "labels": float((own[""] == truth[""]).mean()),
            "status": float((own["_status"] == truth["_status"]).mean()),
            "proba": float(np.abs(own["proba"] - truth["proba"]).max()),
            "unfamiliarity": float(np.nanmax(np.abs(own["_unfamiliarity"] - truth["_unfamiliarity"]))),
        }

    try:
        compare("backed h5ad", backed_file)
        compare("Dask array", chunked)
        compare("zarr, read_lazy", lazy)
        with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster):
            compare("backed h5ad, cluster of 2 processes", backed_file)
            compare("Dask array, cluster of 2 processes", chunked)
            compare("zarr, read_lazy, cluster of 2 processes", lazy)
    finally:
        path.unlink(missing_ok=True)
        shutil.rmtree(zarr, ignore_errors=True)
    return {"n": n, "rows": found}


if __name__ == "__main__":
    print(json.dumps(job(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))))

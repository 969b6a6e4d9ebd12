"""Whether vectors learnt from singles and combinations at once beat the sum of two measured effects.

Run by hand; it takes some minutes::

    OMP_NUM_THREADS=1 python benchmarks/latent_additive.py --write docs/benchmarks_perturbation.md

Run it after `perturbation.py`, which writes that page anew; only the part between the two marks is replaced here.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

import sc_annotate as sca

MARKS = ("<!-- latent_additive -->", "<!-- end of latent_additive -->")
SCREENS: dict[str, dict[str, Any]] = {
    "15 cells a condition": {"cells": 15},
    "60 cells": {},
    "200 cells": {"cells": 200},
    "60 cells, 20 singles, 60 doubles": {"n_singles": 20, "n_doubles": 60},
    "60 cells, effects of rank 60": {"rank": 60, "similarity": 0.0},
    "60 cells, unequal gene noise": {"gene_noise": 0.3},
    "60 cells, systematic shift": {"shift": 0.3},
    "60 cells, buffering": {"interactions": 0.1, "interaction_kind": "buffering"},
    "200 cells, buffering": {"cells": 200, "interactions": 0.1, "interaction_kind": "buffering"},
}
TEXT = """
## Combinations: latent_additive against additive

`latent_additive` fits the effects of all targets jointly, `additive` adds two measured ones. All screens are simulated, mostly
of 40 singles and 40 doubles of 300 genes; no measured screen with doubles was available. Each double is held out. The paired difference to `additive` on the same doubles, with its 95 % interval; below 0 is better for `l2`,
above 0 for `pearson_perturbed`.

| screen | `l2` of `additive` | `latent_additive` minus it | `matching_mean` minus it | `linear` minus it | `pearson_perturbed` of `additive` | `latent_additive` minus it |
| --- | --- | --- | --- | --- | --- | --- |
{rows}

A sum of two measured effects has the errors of both, and those of the control twice; a regression averages them. The shift
that all perturbed cells share counts twice in a sum. With few cells or buffered sums, compare with `linear` and
`matching_mean` too. {losses}

`latent_additive` does not predict unseen single perturbations, so it is not part of the tables above, nor of the 25
knock-outs, which have no combinations. A matrix between components that can learn buffering from the training doubles was
tried on seven of these screens; held-out training doubles never selected it, so it was not included. (By `benchmarks/latent_additive.py`.)
"""


def compare(how: dict[str, Any], rng: int) -> dict[str, dict[str, tuple[float, float, float]]]:
    """Scores of `additive`, and differences of the others to it, by metric and method."""
    how = {"n_singles": 40, "n_doubles": 40, **how}
    cells = how.pop("cells", 60) * (how["n_singles"] + how["n_doubles"] + 8)
    profiles = sca.pp.perturbation_profiles(sca.datasets.simulate_perturb_seq(cells, 300, rng=rng, **how))
    doubles = [name for name in profiles.obs_names if "+" in name]
    made = {}
    for method in ("additive", "latent_additive", "matching_mean", "linear"):
        sca.tl.predict_perturbation(profiles, conditions=doubles, method=method)
        made[f"held-out {method}"] = sca.get.perturbation(profiles)
    names = ["control", *doubles]
    board = sca.tl.evaluate_perturbation(profiles[names], made, reference="held-out additive")
    table = board.table().set_index(["metric", "method"])
    minus = "minus held-out additive"
    out: dict[str, dict[str, tuple[float, float, float]]] = {}
    for metric in ("l2", "pearson_perturbed"):
        out[metric] = {"additive": tuple(table.loc[(metric, "held-out additive"), ["mean", "low", "high"]])}
        for method in ("latent_additive", "matching_mean", "linear"):
            columns = [minus, f"{minus}, low", f"{minus}, high"]
            out[metric][method] = tuple(table.loc[(metric, f"held-out {method}"), columns])
    return out


def figures(values: tuple[float, float, float], sign: str = "") -> str:
    return "{:{s}.2f} [{:{s}.2f}, {:{s}.2f}]".format(*values, s=sign).replace("-", "−")


def report(rng: int) -> str:
    rows, worse = [], []
    for title, how in SCREENS.items():
        found = compare(dict(how), rng)
        l2, pearson = found["l2"], found["pearson_perturbed"]
        cells = [title, figures(l2["additive"])]
        cells += [figures(l2[method], "+") for method in ("latent_additive", "matching_mean", "linear")]
        cells += [figures(pearson["additive"]), figures(pearson["latent_additive"], "+")]
        rows.append("| " + " | ".join(cells) + " |")
        gain = np.array([-np.array(l2["latent_additive"]), np.array(pearson["latent_additive"])])
        worse += [
            f"`{metric}` with {title}"
            for metric, g in zip(("l2", "pearson_perturbed"), gain, strict=True)
            if max(g[1:]) < 0
        ]
    losses = (
        f"It is worse than `additive` by {' and by '.join(worse)}." if worse else "It is nowhere worse than `additive`."
    )
    return TEXT.format(rows="\n".join(rows), losses=losses)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    sca.settings.progress = False
    text = f"{MARKS[0]}\n{report(args.seed)}\n{MARKS[1]}"
    if args.write:
        page = args.write.read_text(encoding="utf-8")
        if MARKS[0] in page:
            before, _, rest = page.partition(MARKS[0])
            page = before + text + rest.partition(MARKS[1])[2]
        else:
            before, heading, rest = page.partition("\n## Speed and memory")
            page = f"{before}\n{text}\n{heading}{rest}"
        args.write.write_text(page, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()

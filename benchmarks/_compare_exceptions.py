"""What may differ between two trees, each with its reason; and the comparison of all the rest."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np

TOLERANCE = 1e-5

# Entries that were renamed: a pattern of the path before, and the path after.
RENAMED = (
    (r"((^|/)(single|double|board|frame))/calls$", r"\1/decisions"),
    (r"((^|/)(single|double|board|frame))/judgements$", r"\1/sentences"),
    (r"/of_a_perfect_model$", r"/if_calibrated"),
    (r"(/uns/perturbation/coverage)/asked$", r"\1/requested"),
    (r"((^|/)obs)/n_escapers$", r"\1/n_nonresponding"),
    (r"(/uns/perturbation_profiles)/escapers(/|$)", r"\1/nonresponding\2"),
    (r"(/uns/perturbation_profiles)/drop_escapers$", r"\1/params/drop_nonresponding"),
    (r"(/uns/perturbation_profiles)/(perturbation_key|replicate_key|min_cells|rng|efficacy)$", r"\1/params/\2"),
    (r"(/uns/interactions/params)/call_by$", r"\1/select_by"),
    (r"(/sets/(overall|by_type|by_batch))/asked$", r"\1/requested"),
    (r"(/suspects)/call$", r"\1/predicted"),
    (r"(/quality)/doublet_line$", r"\1/doublet_threshold"),
    (r"(/evidence)/n_genes_looked_at$", r"\1/n_genes_used"),
    (r"(/evidence/.*|/get [^/]+/evidence/)mean_elsewhere$", r"\1mean_others"),
    (r"(/coefficients/(names|panel))/called$", r"\1/list_names"),
    (r"(obsm/[^/]+)_dissent(/|$)", r"\1_disagrees\2"),
    (r"(/uns/[^/]+)/members(/|$)", r"\1/methods\2"),
    (r"(/uns/[^/]+)/dissent/member$", r"\1/disagreements/key"),
    (r"(/uns/[^/]+)/dissent/n_dissent$", r"\1/disagreements/n_disagreements"),
    (r"(/uns/[^/]+)/dissent(/|$)", r"\1/disagreements\2"),
    (r"^(markers.*/uns/[^/]+/params)/score$", r"\1/by"),
    (r"(/markers_agree)/score$", r"\1/by"),
    (r"(/markers_agree)/calls$", r"\1/labels"),
    (r"(/markers_agree)/list_of_call(/|$)", r"\1/list_of_label\2"),
    (r"(/markers_agree/.*)verdict$", r"\1agreement"),
    (r"(/|^)of_a_perfect_model(/|$)", r"\1if_calibrated\2"),
    (r"(/familiarity)/false_alarms$", r"\1/false_positive_rate"),
    (r"(/params)/calibration_scheme$", r"\1/scheme"),
    (r"(/params)/false_alarms$", r"\1/false_positive_rate"),
)
# Words that stand for one thing in both trees: the one before, the one after.
WORDS = {"not judged": "not compared", "average of the members'": "average of the methods'"}
# Digests that cover the names of parameters, where they stand in a text.
DIGEST = re.compile(r"\b(model) [0-9a-f]{10}\b")
# Sentences: a text may be phrased anew, but the numbers in it stay.
SENTENCES = re.compile(
    r"/(notes|problems|evidence|split|report|printed|scheme_in_words|verdict|sentences|note|reason|how|notes/\d+|gene_advice)$"
)
# Paths that are not compared, and why.
EXCEPTIONS = (
    (r"perturbation_profiles/params/replicate_key$", "no replicate_key is None, and was an empty text"),
    (r"every_predictor/embedded/uns/perturbation/params/method_kwargs", "embeddings are parameters of the method"),
    (r"/versions/", "versions of packages"),
    (r"/uns/[^/]+/model$|obs/[^/]*_model(/categories)?$|annotation/model(/categories)?$|/written$",
     "the id of a model is a digest that covers the names of its parameters"),
    (r"/method_kwargs/gene_sets$", "the path of a temporary file"),
    (r"/seconds$|/scores/seconds$", "times"),
)  # fmt: skip


# Entries that only the tree after has, and why.
ADDED = ((r"/uns/perturbation(_profiles)?/params/", "every argument is recorded, and some were not"),)


@dataclass
class Comparison:
    """Counts and differences of all cases together."""

    n_equal: int = 0
    n_numbers: int = 0
    largest: float = 0.0
    largest_at: str = "nowhere"
    differences: list[str] = field(default_factory=list)
    phrased: list[str] = field(default_factory=list)
    excepted: dict[str, int] = field(default_factory=dict)

    def add(self, case: str, old: dict[str, Any], new: dict[str, Any]) -> None:
        # The tree after may not have renamed all yet.
        old, new = ({_renamed(path): array for path, array in side.items()} for side in (old, new))
        failed = new.pop("failed", None)
        if failed is not None:
            self.differences.append(f"{case}/failed: {failed}, after {len(new):,} of {len(old):,} entries")
        for path in sorted(set(old) | set(new) if failed is None else new):
            at = f"{case}/{path}"
            why = next((why for pattern, why in EXCEPTIONS if re.search(pattern, at)), None)
            if why is not None:
                self.excepted[why] = self.excepted.get(why, 0) + 1
            elif path not in new:
                self.differences.append(f"{at}: is gone (was {_short(old[path])})")
            elif path not in old and (why := next((why for p, why in ADDED if re.search(p, at)), None)):
                self.excepted[why] = self.excepted.get(why, 0) + 1
            elif path not in old:
                self.differences.append(f"{at}: is new ({_short(new[path])})")
            else:
                self._compare(at, old[path], new[path])

    def _compare(self, at: str, a: Any, b: Any) -> None:
        numbers = a.dtype.kind in "biuf" and b.dtype.kind in "biuf"
        if numbers and a.shape == b.shape:
            self._compare_numbers(at, a.astype(float), b.astype(float))
        elif not numbers and a.shape == b.shape and (_words(a) == _words(b)).all():
            self.n_equal += 1
        elif not numbers and SENTENCES.search(at) and _numbers_in(a) == _numbers_in(b):
            self.phrased.append(f"{at}: {_short(a)} -> {_short(b)}")
        else:
            self.differences.append(f"{at}: {a.dtype}{a.shape} {_short(a)} -> {b.dtype}{b.shape} {_short(b)}")

    def _compare_numbers(self, at: str, a: Any, b: Any) -> None:
        apart = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.abs(a - b))
        apart = np.where(np.isnan(apart), np.inf, apart)
        largest = float(apart.max(initial=0.0))
        self.n_numbers += a.size
        if largest > self.largest:
            self.largest, self.largest_at = largest, at
        if (apart > TOLERANCE * np.maximum(1, np.abs(np.nan_to_num(a)))).any():
            n = int((apart > TOLERANCE).sum())
            self.differences.append(f"{at}: {n} of {a.size} numbers differ, by up to {largest:.3g}")
        else:
            self.n_equal += 1

    def summary(self, most: int) -> str:
        lines = [
            f"{self.n_equal:,} entries equal ({self.n_numbers:,} numbers; largest difference {self.largest:.3g}, at "
            f"{self.largest_at}); {len(self.phrased):,} sentences phrased anew with the same numbers",
            *(f"not compared: {n:,} entries, {why}" for why, n in self.excepted.items()),
            f"{len(self.differences):,} differences",
        ]
        alike: dict[str, list[str]] = {}
        for text in self.differences:
            path, _, what = text.partition(": ")
            alike.setdefault("/".join(path.split("/")[-2:]) + what.partition("(")[0], []).append(text)
        lines += [f"  {len(texts):>4} like {texts[0]}" for texts in list(alike.values())[:most]]
        if len(alike) > most:
            lines.append(f"  and {len(alike) - most:,} more kinds (--most)")
        return "\n".join(lines)


def _renamed(path: str) -> str:
    for pattern, name in RENAMED:
        path = re.sub(pattern, name, path)
    return path


def _words(array: Any) -> Any:
    texts = array.astype(str)
    return np.array([WORDS.get(text, DIGEST.sub(r"\1", text)) for text in texts.ravel()]).reshape(texts.shape)


def _numbers_in(array: Any) -> list[str]:
    return sorted(re.findall(r"\d+(?:\.\d+)?", " ".join(_words(array).ravel())))


def _short(array: Any) -> str:
    text = " ".join(str(v) for v in np.ravel(array)[:6])
    return repr(text if len(text) <= 200 else text[:200] + "...")

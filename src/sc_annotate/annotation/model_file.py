"""What a model file states about a model: the schema that it is read by, and validated against before it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, NotRequired, TypedDict

from sc_annotate._core.decode import decode
from sc_annotate._core.schema import Columns, Count, Frame, Length, Name, Text, Within
from sc_annotate._core.stored_arrays import Stored, check_arrays
from sc_annotate._data.transform import Wanted
from sc_annotate.annotation.held_out import Evaluation
from sc_annotate.annotation.history import History
from sc_annotate.annotation.training import Provenance
from sc_annotate.trust.options import Scheme, SetsBy, SetScore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

_PARTS = ("calibration", "sets", "familiarity", "groups", "profiles", "depth", "genes")
_COVERED = dict.fromkeys(("coverage", "low", "high"), "float") | {"n": "int", "mean_size": "float"}
_RELIABILITY = Columns(dict.fromkeys(("from", "to", "confidence", "accuracy", "low", "high"), "float") | {"n": "int"})
_ERRORS = ("expected_calibration_error", "if_calibrated", "log_loss", "brier")
_SHIFTS = ("log_loss", "log_loss_aligned", "log_odds", "norm")
_STEPS = {"n": "int"} | dict.fromkeys(("detected", "accuracy", "mean_confidence"), "float")
_OF_LEVELS = ("accuracy", "low", "high", "mean_confidence", "expected_calibration_error", "if_calibrated")


class Reliability(TypedDict):
    """Confidence against accuracy on held-out cells."""

    uncalibrated: Annotated[Frame, _RELIABILITY]
    calibrated: Annotated[Frame, _RELIABILITY]


class RiskCoverage(TypedDict):
    """Error rate by the share of cells that are kept, the most confident first."""

    area: float | None
    excess_area: float | None
    curve: Annotated[Frame, Columns(dict.fromkeys(("coverage", "risk", "threshold"), "float"))]


class SetsReport(TypedDict):
    """How often prediction sets hold the truth."""

    score: SetScore
    by: SetsBy
    overall: Annotated[
        Frame,
        Columns(
            {"requested": "float", **_COVERED, "singletons": "float", "worst_type": "text", "worst_coverage": "float"},
            least=1,
        ),
    ]
    by_type: Annotated[Frame, Columns({"requested": "float", "type": "text", **_COVERED})]
    by_batch: Annotated[Frame, Columns({"requested": "float", "batch": "text", **_COVERED}, optional=True)]
    types_with_the_common_threshold: list[Name]


class TrustReport(TypedDict):
    """What was learned on held-out cells; copied into each result."""

    method: Literal["temperature", "isotonic", "venn_abers", "none"]
    scheme: Scheme
    scheme_in_words: Text
    n_cells: Count
    n_left_out: Count
    scores: Annotated[Frame, Columns({"probabilities": "text", **dict.fromkeys(_ERRORS, "float")}, least=1)]
    reliability: Reliability
    risk_coverage: RiskCoverage
    sets: SetsReport
    n_batches: NotRequired[Count]
    valid_for: NotRequired[Text]
    depth: NotRequired[Annotated[Frame, Columns({"molecules": "float", **_STEPS})]]
    genes: NotRequired[Annotated[Frame, Columns({"share": "float", **_STEPS})]]
    batches: NotRequired[
        Annotated[
            Frame,
            Columns(
                {"batch": "text", "n": "int"}
                | dict.fromkeys(("accuracy", "mean_confidence", "coverage", "mean_size"), "float")
            ),
        ]
    ]


class TrustInFile(TypedDict):
    """The report, and what the parts say of themselves, which they check."""

    report: TrustReport
    calibration: dict[str, object]
    sets: dict[str, object]
    familiarity: NotRequired[dict[str, object]]
    groups: NotRequired[dict[str, object]]
    profiles: NotRequired[dict[str, object]]
    depth: NotRequired[dict[str, object]]
    genes: NotRequired[dict[str, object]]


class AlignmentInFile(TypedDict):
    """Whether aligning the model to a query helped on held-out batches."""

    use: bool
    why: Text
    held_out: Annotated[
        Frame, Columns({"batch": "text", "part": "text", "n": "int", **dict.fromkeys(_SHIFTS, "float")})
    ]
    largest: Annotated[float, Within(0, 1e9)]


class LevelsInFile(TypedDict):
    """Several columns of labels, coarse to fine."""

    names: Annotated[list[Name], Length(2, 100)]
    labels: list[list[Name]]
    scores: (
        Annotated[Frame, Columns({"level": "text", "labels": "int", "n": "int", **dict.fromkeys(_OF_LEVELS, "float")})]
        | None
    )


class ModelInFile(TypedDict):
    """All that a model file states. A change to it needs another format number."""

    format: Name
    format_number: Count
    method: Annotated[str, Length(1, 200)]
    classes: Annotated[list[Name], Length(1, 1_000_000)]
    counts: list[Count]
    names: dict[str, list[Name]]
    input: Wanted
    panel: dict[str, list[Name]] | None
    provenance: Provenance
    evaluation: Evaluation | None
    state: object
    trust: TrustInFile | None
    levels: NotRequired[LevelsInFile | None]
    history: NotRequired[History]
    alignment: NotRequired[AlignmentInFile]


def read(meta: Any, arrays: Mapping[str, NDArray[Any]]) -> ModelInFile:
    """What a file states, decoded; a ValueError where a part is not as the schema has it, or parts contradict each other."""
    found: ModelInFile = decode(ModelInFile, meta, "the model")
    classes, counts, names, panel = found["classes"], found["counts"], found["names"], found["panel"]
    n_genes = len(names.get("var_names", ()))
    _require(classes == sorted(set(classes)), "the classes are not sorted, or repeat")
    _require(len(counts) == len(classes), "counts and classes differ")
    _require(n_genes > 0, "there are no gene names")
    # A reference whose var_names repeat may be matched by another list, its ids.
    _require(any(len(set(v)) == n_genes for v in names.values()), "no list of gene names is without repeats")
    _require(all(len(v) == n_genes for v in names.values()), "the lists of gene names differ in length")
    _require(panel is None or "var_names" in panel, "the panel has no names")
    _require(panel is None or len({len(v) for v in panel.values()}) == 1, "the lists of the panel differ in length")
    _require(
        (found["input"] == "embedding") == (found["provenance"].genes is None), "input and genes contradict each other"
    )
    means = {name: array for name, array in arrays.items() if name == "means"}
    check_arrays(means, {"means": Stored("f4", ("genes",), low=-1e9, high=1e9)}, genes=n_genes)
    shifts = {name: array for name, array in arrays.items() if name.startswith("alignment.")}
    parts = (
        {"alignment.class_means": Stored("f4", ("types", "genes"), low=-1e9, high=1e9)} if "alignment" in found else {}
    )
    check_arrays(shifts, parts, types=len(classes), genes=n_genes)
    stated = ["means", "annotator", "alignment", *(part for part in _PARTS if part in (found["trust"] or {}))]
    stated += ["levels"] if found.get("levels") and found["trust"] else []
    stated += ["shown"] if "depth" in stated else []
    unknown = [name for name in arrays if name.partition(".")[0] not in stated]
    _require(not unknown, f"unknown arrays: {', '.join(map(repr, unknown[:5]))}")
    return found


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)

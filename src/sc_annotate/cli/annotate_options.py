"""The options of ``train`` and ``annotate``: one for each argument of the functions behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sc_annotate.cli import list_methods
from sc_annotate.cli.options import Option, choice, number_or_batches, number_or_none, value, written
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    import argparse

COLUMN = value("COLUMN")

MATRIX = (
    Option("--layer", "layer", "layer of the cells instead of X", more=value("NAME")),
    Option("--use-raw", "use_raw", "use .raw", switch=True),
    Option("--gene-symbols", "gene_symbols", "column of var with other gene names", more=COLUMN),
    Option("--total-counts-key", "total_counts_key", "column of obs with the cells' true total counts", more=COLUMN),
    Option(
        "--values",
        "values",
        "what the matrix holds (default: detected)",
        more=choice("counts", "log1p", "log2", "log10", "linear"),
    ),
)
REPRESENTATION = (
    Option("--use-rep", "use_rep", "representation in obsm instead of genes, such as X_scvi", more=value("NAME")),
)
LABELS = (
    Option(
        "--labels-key",
        "labels_key",
        "column of obs with the types; repeat it for each finer level, coarse to fine",
        many=True,
        more=COLUMN,
    ),
)
SEED = Option("--seed", "rng", "(default: 0)", int, more=value("N"))
FIT = (
    Option("--batch-key", "batch_key", "column of obs with batches or donors", more=COLUMN),
    Option(
        "--n-top-genes",
        "n_top_genes",
        "genes used: variable ones, and some that tell types apart (default: 2,000)",
        int,
        more=value("N"),
    ),
    Option("--min-cells", "min_cells", "leave out types with fewer cells (default: 2)", int, more=value("N")),
    Option("--max-cells", "max_cells", "reference cells to learn from (default: 30,000; 0: all)", int, more=value("N")),
    Option(
        "--cv",
        "cv",
        "1: one hold-out (default); k: k folds; batches: each batch in turn; 0: no scores",
        number_or_batches,
        more=value("K"),
    ),
    SEED,
)
METHOD = Option("--method", "method", "see `sc-annotate methods` (default: logreg)", more=value("NAME"))
METHODS = Option(
    "--method",
    "method",
    "see `sc-annotate methods` (default: logreg); repeat it for several methods and their consensus",
    many=True,
    more=value("NAME"),
)
FITTED_TRUST = (
    Option(
        "--calibration",
        "trust.calibration",
        "how confidence is calibrated (default: auto); none: not at all, and no prediction sets",
        more=choice("auto", "temperature", "isotonic", "venn_abers", "none"),
    ),
    Option("--scheme", "trust.scheme", "cells to calibrate on (default: folds)", more=choice("folds", "split")),
    Option("--set-score", "trust.set_score", "score of the sets (default: lac)", more=choice("lac", "aps", "raps")),
    Option(
        "--sets-by",
        "trust.sets_by",
        "over what the coverage holds (default: marginal)",
        more=choice("marginal", "label", "clustered"),
    ),
)
PREDICTED_TRUST = (
    Option(
        "--false-positive-rate",
        "trust.false_positive_rate",
        "share of cells of known types that may be called unfamiliar (default: 0.05; none: not detected)",
        more=value("SHARE"),
    ),
    Option("--min-confidence", "trust.min_confidence", "least confidence of a confident cell (default: 0.5)", float,
           more=value("SHARE")),
    Option("--check-quality", "trust.check_quality", "detect low quality (default: where there are counts)",
           more=choice("yes", "no")),
    Option("--min-overlap", "trust.min_overlap", "least share of genes in common (default: 0.1)", float,
           more=value("SHARE")),
)  # fmt: skip
ALIGN = (
    Option("--align", "trust.align", "take a shift of all cells off (default: auto)", more=choice("auto", "shift", "none")),
)  # fmt: skip
COVERAGE = (
    Option("--coverage", "coverage", "coverage of the prediction sets (default: 0.9)", float, more=value("SHARE")),
)
RESULT = (
    Option("--key-added", "key_added", "name of the result (default: annotation)", more=value("NAME")),
    Option("--store-proba", "store_proba", "probabilities that are stored (default: all)",
           more=choice("all", "topk", "none")),
)  # fmt: skip
VOTE = (
    Option(
        "--vote",
        "vote",
        "let clusters vote on one label: leiden (over-clustering), or a column of obs",
        more=value("leiden|COLUMN"),
    ),
)
REFERENCE = (Option("--reference-layer", "reference_layer", "layer of the reference", more=value("NAME")),)
MARKERS = (
    Option("--groupby", "groupby", "column of obs with clusters, each of which gets one label", more=COLUMN),
    Option(
        "--by",
        "by",
        "score of the lists (default: zscore)",
        more=choice("zscore", "ulm", "mlm", "wilcoxon", "nact", "cellassign"),
    ),
    Option("--ranked-genes", "n_genes", "genes of a cluster that count (default: 50)", int, more=value("N")),
    Option(
        "--marker-saliency",
        "saliency",
        "what of a gene counts with --by nact (default: integrated_gradients)",
        more=choice("integrated_gradients", "input_x_gradient", "attention_x_value", "attention"),
    ),
    Option("--min-genes", "min_genes", "fewest genes of a list that is used (default: 1)", int, more=value("N")),
    Option("--min-support", "min_support", "fewest sources of a gene (default: 1)", int, more=value("N")),
    Option("--type-column", "type_column", "column of the table of markers with the types", more=COLUMN),
    Option("--gene-column", "gene_column", "column of the table of markers with the genes", more=COLUMN),
    Option("--weight-column", "weight_column", "column of the table of markers with weights", more=COLUMN),
    Option("--sign-column", "sign_column", "column of the table of markers with signs", more=COLUMN),
    Option("--id-column", "id_column", "column of the table of markers with ontology ids", more=COLUMN),
)
# What two arguments are called here; the parser has them already.
PARAM = Option("--param", "method_kwargs", "")
LISTS = Option("--markers", "markers", "")

OF_TRAIN = (*LABELS, METHOD, *FIT, *FITTED_TRUST, *ALIGN, *COVERAGE, *MATRIX, *REPRESENTATION)
OF_ANNOTATE = (
    *(*LABELS, METHODS, *FIT, *FITTED_TRUST, *PREDICTED_TRUST, *ALIGN, *COVERAGE),
    *(*MATRIX, *REPRESENTATION, *REFERENCE, *RESULT, *VOTE),
)
OF_MARKERS = (*MARKERS, SEED, *MATRIX, *RESULT)


def arguments(args: argparse.Namespace, options: tuple[Option, ...]) -> dict[str, Any]:
    """The options that were written, as the functions take them."""
    found = written(args, options)
    for name in ("labels_key", "method"):
        if isinstance(found.get(name), list) and len(found[name]) == 1:
            found[name] = found[name][0]
    if "max_cells" in found:
        found["max_cells"] = found["max_cells"] or None
    if found.get("store_proba") == "none":
        found["store_proba"] = False
    trust = {name.removeprefix("trust."): found.pop(name) for name in list(found) if name.startswith("trust.")}
    if trust:
        found["trust"] = _trust(trust)
    if getattr(args, "param", None):
        found["method_kwargs"] = list_methods.params_of(args.param)
    return found


def _trust(stated: dict[str, Any]) -> Any:
    from sc_annotate.trust import Options

    if stated.get("calibration") == "none":
        stated["calibration"] = None
    if "check_quality" in stated:
        stated["check_quality"] = stated["check_quality"] == "yes"
    if stated.get("align") == "none":
        stated["align"] = None
    if "false_positive_rate" in stated:
        try:
            stated["false_positive_rate"] = number_or_none(stated["false_positive_rate"])
        except ValueError as error:
            raise InputError(f"trust.false_positive_rate must be a number or none: {error}.") from error
    return Options(**stated)

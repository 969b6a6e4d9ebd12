"""What a wrong name of an argument or a method may have meant: near names, and those of other packages."""

from __future__ import annotations

import difflib
import inspect
import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

_VOTE: Final = "for one label per cluster call sca.tl.vote(adata, groupby) on the result"
_THREADS: Final = "set sca.settings.n_threads instead"
_DEVICE: Final = "it runs on CPUs; leave it out"
_THRESHOLD: Final = "cells that should not get a label are marked in obs[f'{key_added}_status'], by coverage= and trust=sca.trust.Options(...)"
_IN_PLACE: Final = "results are written to adata itself; pass adata.copy() to keep it as it is"

# Words of other packages: parameters with that meaning, the first that a function has; else what to do instead.
_ARGUMENTS: Final[dict[str, tuple[tuple[str, ...], str]]] = {
    **dict.fromkeys(("random_state", "seed", "random_seed"), (("rng",), "it uses no random numbers; leave it out")),
    **dict.fromkeys(("n_jobs", "n_cores", "n_threads", "threads", "num_threads", "num_workers"), ((), _THREADS)),
    **dict.fromkeys(("use_gpu", "gpu", "device", "accelerator"), ((), _DEVICE)),
    **dict.fromkeys(("majority_voting", "over_clustering"), (("vote",), _VOTE)),
    **dict.fromkeys(
        ("threshold", "cutoff", "min_prob", "p_thres", "prob_threshold"), (("min_share", "min_confidence"), _THRESHOLD)
    ),
    **dict.fromkeys(("mode", "prob_match"), ((), _THRESHOLD)),
    **dict.fromkeys(("inplace", "copy"), ((), _IN_PLACE)),
    **dict.fromkeys(("verbose", "progress", "progress_bar"), ((), "set sca.settings.progress instead")),
    **dict.fromkeys(("labels", "label", "label_key", "cell_type_key", "celltype_key", "cell_type"), (("labels_key", "truth"), "")),
    **dict.fromkeys(("labels_key", "true_labels", "ground_truth", "y_true"), (("truth", "labels_key"), "")),
    **dict.fromkeys(("batch", "batches", "donor_key", "sample_key"), (("batch_key", "replicate_key"), "")),
    **dict.fromkeys(("ref", "ref_adata", "reference_adata", "adata_ref", "model", "train"), (("reference", "model"), "")),
    **dict.fromkeys(("query", "adata_query", "query_adata", "data", "test"), (("adata",), "")),
    **dict.fromkeys(("classifier", "estimator", "algorithm", "methods"), (("method", "methods"), "")),
    **dict.fromkeys(("params", "kwargs", "hyperparameters", "model_kwargs"), (("method_kwargs",), "")),
    **dict.fromkeys(("hvg", "n_hvg", "n_genes", "n_top", "n_features", "feature_selection"), (("n_top_genes", "n_genes"), "")),
    **dict.fromkeys(("key", "obs_key", "out_key", "added_key", "result_key", "prefix"), (("key_added", "key"), "")),
    **dict.fromkeys(("cluster", "clusters", "cluster_key", "groups", "group_key", "by"), (("groupby",), "")),
    **dict.fromkeys(("folds", "n_folds", "k_folds", "n_splits"), (("cv", "n_folds"), "")),
    **dict.fromkeys(("calibrate", "calibration", "confidence"), (("trust", "calibration"), "")),
    **dict.fromkeys(("alpha", "level"), (("coverage",), "")),
    **dict.fromkeys(("gene_names", "gene_name", "feature_name", "symbols", "gene_column"), (("gene_symbols",), "")),
    **dict.fromkeys(("marker_genes", "gene_sets", "net", "marker"), (("markers",), "for marker genes call sca.tl.annotate_markers")),
    **dict.fromkeys(("markers",), ((), "for marker genes call sca.tl.annotate_markers(adata, markers)")),
    **dict.fromkeys(("control", "ctrl", "control_key", "reference_condition"), (("control",), "")),
    **dict.fromkeys(("condition", "condition_key", "pert_key", "perturbation", "pert_col"), (("perturbation_key",), "")),
}  # fmt: skip

# The same for the hyperparameters of methods.
_HYPERPARAMETERS: Final[dict[str, tuple[str, ...]]] = {
    **dict.fromkeys(
        ("max_epochs", "n_epochs", "num_epochs", "nb_epochs", "max_iter", "n_iter", "iterations", "num_steps"),
        ("epochs", "max_iter"),
    ),
    **dict.fromkeys(("lr", "step_size", "eta", "max_lr", "learning_rate_init"), ("learning_rate",)),
    **dict.fromkeys(("bs", "minibatch", "minibatch_size", "n_batch"), ("batch_size",)),
    **dict.fromkeys(("wd", "l2", "decay", "regularization"), ("weight_decay",)),
    **dict.fromkeys(("dropout_rate", "p_dropout", "drop"), ("dropout", "input_dropout")),
    **dict.fromkeys(
        ("hidden_size", "hidden_units", "hidden_layer_sizes", "hidden_dim", "units", "width"), ("hidden", "n_hidden")
    ),
    **dict.fromkeys(("depth", "num_layers", "layers", "n_hidden_layers"), ("n_layers",)),
    **dict.fromkeys(("n_ensemble", "ensemble", "n_models", "n_seeds", "ensemble_size"), ("n_networks",)),
    **dict.fromkeys(("early_stopping", "early_stopping_patience", "n_iter_no_change"), ("patience",)),
    **dict.fromkeys(("class_weights", "weights", "balanced"), ("class_weight",)),
    **dict.fromkeys(("checkpoint_dir", "ckpt_path", "resume"), ("checkpoint",)),
    **dict.fromkeys(("gpus", "n_gpus", "n_devices"), ("devices",)),
    **dict.fromkeys(("latent_dim", "n_dims", "dim", "latent"), ("n_latent",)),
    **dict.fromkeys(("k", "n_neighbours", "neighbors"), ("n_neighbors",)),
}

_METHODS: Final[dict[str, tuple[str, ...]]] = {
    **dict.fromkeys(("svm", "svc", "linear_svc", "linearsvc", "sgd", "support_vector_machine"), ("linear_svm",)),
    **dict.fromkeys(
        ("logistic_regression", "logisticregression", "logistic", "lr", "log_reg", "glm", "elastic_net"), ("logreg",)
    ),
    **dict.fromkeys(("rf", "randomforest", "forest", "random_forest_classifier", "trees"), ("random_forest",)),
    **dict.fromkeys(
        ("xgboost", "xgb", "lightgbm", "gbm", "gbt", "catboost", "boosting", "hist_gradient_boosting"),
        ("gradient_boosting",),
    ),
    **dict.fromkeys(("nn", "ann", "dnn", "neural_network", "neural_net", "deep", "perceptron"), ("mlp",)),
    **dict.fromkeys(("nb", "bayes", "naivebayes", "multinomial_nb", "gaussian_nb"), ("naive_bayes",)),
    **dict.fromkeys(("centroid", "centroids", "scmap_cluster"), ("nearest_centroid",)),
    **dict.fromkeys(("singler", "spearman", "pearson", "clustifyr", "chetah"), ("correlation",)),
    **dict.fromkeys(
        ("scmap", "scmap_cell", "ingest", "k_nearest_neighbors", "nearest_neighbors", "kneighbors", "symphony"),
        ("knn",),
    ),
    **dict.fromkeys(("discriminant", "qda", "scpred"), ("lda",)),
    **dict.fromkeys(("dummy", "baseline", "most_frequent"), ("majority",)),
    **dict.fromkeys(("average", "mean_effect"), ("mean",)),
    **dict.fromkeys(("control", "zero", "none", "unperturbed"), ("no_change",)),
    **dict.fromkeys(("sum", "additivity"), ("additive",)),
}

_NOT_HERE: Final = {
    **dict.fromkeys(("scarches", "scpoli"), "a model of scArches"),
    **dict.fromkeys(("scgpt", "geneformer", "scbert", "uce", "scfoundation"), "a pretrained network"),
    **dict.fromkeys(("gears", "cpa", "state"), "a neural network for perturbations"),
}
"""Methods that people ask for and this package does not have."""


def wrong_arguments(function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    """What is wrong with the arguments of a call that Python refused to bind."""
    parameters = inspect.signature(function).parameters
    own = [name for name in parameters if name != "self"]
    by_position = [n for n, p in parameters.items() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    name = function.__qualname__.removesuffix(".__init__")
    lines = [f"{name} {_unknown(each, own)}" for each in kwargs if each not in parameters]
    if len(args) > len(by_position):
        most = [each for each in by_position if each in own]
        surplus = len(args) - len(by_position)
        rest = [each for each in own if each not in by_position]
        lines.append(
            f"{name} takes {len(most)} argument{'' if len(most) == 1 else 's'} by position ({', '.join(most) or 'none'}), and "
            f"{surplus} more {'was' if surplus == 1 else 'were'} passed: write {'it' if surplus == 1 else 'them'} by name"
            + (f", such as {rest[0]}=." if rest else ".")
        )
    if twice := [each for each in by_position[: len(args)] if each in kwargs]:
        lines.append(f"{name} got {', '.join(twice)} twice, by position and by name: leave one out.")
    passed = {*by_position[: len(args)], *kwargs}
    needed = [
        n for n, p in parameters.items() if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    if not lines and (lacking := [each for each in needed if each not in passed]):
        lines.append(f"{name} needs {' and '.join(lacking)}.")
    return f"{' '.join(lines)} It takes: {', '.join(own) or 'no arguments'}."


def _unknown(name: str, own: Collection[str]) -> str:
    start = f"has no argument {name}."
    candidates, instead = _ARGUMENTS.get(name.lower(), ((), ""))
    meant = [each for each in candidates if each in own][:1]
    if not meant and instead:
        return f"has no argument {name}: {instead}."
    near = meant or difflib.get_close_matches(name.lower(), own, n=3, cutoff=0.6)
    near = near or [each for each in own if len(name) > 3 and (name.lower() in each or each in name.lower())]
    return start + (f" Did you mean {' or '.join(near)}?" if near else "")


def near_parameters(names: Collection[str], own: Collection[str]) -> str:
    """Which hyperparameters of a method may have been meant by names that it does not have, and all that it takes."""
    meant: dict[str, None] = {}
    for name in names:
        if isinstance(name, str) and name not in own:
            known = [each for each in _HYPERPARAMETERS.get(name.lower(), ()) if each in own][:1]
            meant |= dict.fromkeys(known or difflib.get_close_matches(name.lower(), own, n=1, cutoff=0.6))
    return (f" Did you mean {' and '.join(meant)}?" if meant else "") + f" It takes: {', '.join(own) or 'none'}."


def near_methods(name: str, methods: Collection[str]) -> str:
    """Which of `methods` may have been meant, as a sentence; "" where none is near."""
    plain = re.sub(r"[\s-]+", "_", name.strip().lower())
    meant = [each for each in _METHODS.get(plain, ()) if each in methods]
    if not meant and plain in _NOT_HERE:
        return f"This is {_NOT_HERE[plain]}, which is not built in; register a class of your own to compare it. "
    near = meant or difflib.get_close_matches(plain, methods, n=3, cutoff=0.5)
    return f"Did you mean {' or '.join(map(repr, near))}? " if near else ""

"""The table of built-in methods: one line each, strings only, so that nothing is imported by reading it."""

from __future__ import annotations

from sc_annotate._core.records import Method

_A = "sc_annotate.annotators"
_P = "sc_annotate.predictors"


def _scvi(name: str, target: str, summary: str, reference: str) -> Method:
    return Method(
        name,
        "annotation",
        f"{_A}.{target}",
        summary,
        inputs="counts",
        kind="adapter",
        extra="scvi",
        reference=reference,
        saves=False,
        deep=True,
        transductive=True,
    )


BUILT_IN: tuple[Method, ...] = (
    Method("logreg", "annotation", f"{_A}.logreg:LogReg", "Multinomial logistic regression on scaled log values"),
    Method(
        "logreg_pca",
        "annotation",
        f"{_A}.logreg_pca:LogRegPCA",
        "Logistic regression on principal components of labelled and unlabelled cells",
    ),
    Method(
        "linear_svm", "annotation", f"{_A}.linear_svm:LinearSVM", "Linear support vector machine, sigmoid-calibrated"
    ),
    Method("lda", "annotation", f"{_A}.lda:LDA", "Linear discriminant analysis with shrunken covariance"),
    Method(
        "nearest_centroid", "annotation", f"{_A}.nearest_centroid:NearestCentroid", "Distance to the mean of each type"
    ),
    Method(
        "correlation",
        "annotation",
        f"{_A}.correlation:Correlation",
        "Spearman correlation to type profiles with fine-tuning (SingleR's idea)",
        reference="10.1038/s41590-018-0276-y",
    ),
    Method("knn", "annotation", f"{_A}.knn:KNN", "Nearest neighbours in principal-component space"),
    Method("naive_bayes", "annotation", f"{_A}.naive_bayes:NaiveBayes", "Multinomial naive Bayes"),
    Method("random_forest", "annotation", f"{_A}.random_forest:RandomForest", "Random forest", saves=False),
    Method(
        "gradient_boosting",
        "annotation",
        f"{_A}.gradient_boosting:GradientBoosting",
        "Histogram gradient boosting on principal components",
        saves=False,
    ),
    Method("mlp", "annotation", f"{_A}.mlp:MLP", "Multilayer perceptron with one hidden layer"),
    Method(
        "celltypist",
        "annotation",
        f"{_A}.celltypist:CellTypist",
        "One-vs-rest logistic regression on clipped values, the form of CellTypist's models",
        reference="10.1126/science.abl5197",
    ),
    Method(
        "mlp_torch",
        "annotation",
        f"{_A}.torch_mlp:TorchMLP",
        "Multilayer perceptron with dropout of genes and batch normalisation (torch)",
        extra="torch",
        deep=True,
    ),
    Method(
        "actinn",
        "annotation",
        f"{_A}.torch_mlp:ACTINN",
        "Multilayer perceptron of ACTINN's shape (torch)",
        extra="torch",
        deep=True,
        reference="10.1093/bioinformatics/btz592",
    ),
    Method(
        "nact",
        "annotation",
        f"{_A}.torch_nact:NACTAnnotator",
        "N-ACT: attention over genes (torch)",
        extra="torch",
        deep=True,
        reference="10.48550/arXiv.2206.04047",
    ),
    _scvi(
        "scanvi",
        "scvi_scanvi:ScANVI",
        "scANVI of scvi-tools: latent space of counts with a classifier, learned with the query",
        "10.15252/msb.20209620",
    ),
    _scvi(
        "scvi",
        "scvi_latent:ScVI",
        "scVI of scvi-tools with the query, then logistic regression on its latent space",
        "10.1038/s41592-018-0229-2",
    ),
    _scvi(
        "totalanvi",
        "scvi_totalanvi:TotalANVI",
        "totalANVI of scvi-tools: latent space of counts and proteins with a classifier, learned with the query",
        "10.1038/s41592-020-01050-x",
    ),
    _scvi(
        "resolvi",
        "scvi_resolvi:ResolVI",
        "resolVI of scvi-tools: latent space of counts and places in a tissue with a classifier, learned with the query",
        "10.1101/2025.01.20.634005",
    ),
    Method("majority", "annotation", f"{_A}.majority:Majority", "The most common type for every cell: the baseline"),
)

_AHLMANN = "10.1038/s41592-025-02772-6"


def _predictor(name: str, target: str, summary: str, reference: str | None = None) -> Method:
    return Method(name, "perturbation", f"{_P}.{target}", summary, inputs="profiles", reference=reference, saves=False)


PREDICTORS: tuple[Method, ...] = (
    _predictor("no_change", "no_change:NoChange", "The control's profile for every condition: the baseline", _AHLMANN),
    _predictor("mean", "mean:Mean", "The mean effect of the training conditions, for every condition", _AHLMANN),
    _predictor("additive", "additive:Additive", "The control plus the sum of the single effects", _AHLMANN),
    _predictor(
        "latent_additive",
        "latent_additive:LatentAdditive",
        "Vectors of targets that add up, learnt from singles and combinations at once (PerturBench's idea)",
        "10.48550/arXiv.2408.10609",
    ),
    _predictor(
        "matching_mean",
        "matching_mean:MatchingMean",
        "The mean of the matching single profiles (Systema's baseline)",
        "10.1038/s41587-025-02777-8",
    ),
    _predictor(
        "linear", "linear:Linear", "A ridge matrix between components of genes and those of the targets", _AHLMANN
    ),
    _predictor("knn", "knn:NearestPerturbations", "The mean effect of the training perturbations most alike"),
    _predictor("ridge", "ridge:GeneSetRidge", "Ridge regression of effects on the gene sets of the targets"),
    _predictor("transfer", "transfer:Transfer", "What the same perturbation did in another screen, rescaled"),
)


def _encoder(name: str, target: str, summary: str, reference: str) -> Method:
    return Method(
        name, "encoding", f"sc_annotate.encoders.{target}", summary, extra="torch", reference=reference, deep=True
    )


_RICHTER, _BENCH = "10.1038/s42256-024-00934-3", "10.48550/arXiv.2506.10031"

ENCODERS: tuple[Method, ...] = (
    Method(
        "pca", "encoding", "sc_annotate.encoders.pca:PCAEncoder", "Principal components of scaled genes: the baseline"
    ),
    _encoder("mae", "mae:MAE", "Masked autoencoder: hidden values of a cell, predicted from the others", _RICHTER),
    _encoder(
        "simclr", "simclr:SimCLR", "Two views of a cell attract each other and repel those of other cells", _BENCH
    ),
    _encoder("moco", "moco:MoCo", "As SimCLR, with past embeddings of a slowly moving copy as other cells", _BENCH),
    _encoder("nnclr", "nnclr:NNCLR", "As SimCLR, with the nearest past embedding in place of one view", _BENCH),
    _encoder("byol", "byol:BYOL", "One view predicts what a slowly moving copy makes of the other", _RICHTER),
    _encoder("simsiam", "simsiam:SimSiam", "As BYOL, with the network itself in place of its copy", _BENCH),
    _encoder(
        "vicreg", "vicreg:VICReg", "Two views alike, with dimensions that vary and do not repeat each other", _BENCH
    ),
    _encoder(
        "barlow_twins", "barlow_twins:BarlowTwins", "Dimensions of two views correlate with themselves alone", _RICHTER
    ),
)

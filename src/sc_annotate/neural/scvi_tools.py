"""Models of scvi-tools, trained without their traces in the process."""

from __future__ import annotations

import io
import logging
import random
import warnings
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate.errors import MethodError, MissingExtraError
from sc_annotate.neural import libraries
from sc_annotate.neural.batches import as_dense
from sc_annotate.neural.process import as_before, interruptible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

_CELLS = 1024
_DIVERGED = "the network did not learn: its loss became infinite or NaN. Lower the learning_rate (method_kwargs)."


@contextmanager
def scvi_as_before(rng: int) -> Iterator[Any]:
    """The module ``scvi``, whose models draw from `rng`; all that is global is afterwards what it was before.

    That is the random states of torch, numpy and Python, the parameters of pyro, log levels, warning filters, flags of cuDNN
    and the handler of Ctrl-C; and no model keeps its cells. ``scvi.settings`` is left alone, as setting its seed changes all of these.
    """
    scvi, torch = libraries.scvi(), libraries.torch()
    import pyro

    cudnn = torch.backends.cudnn
    loggers = [logging.getLogger(name) for name in ("scvi", "pyro")]
    # The parameters of pyro's models are kept in one place for the whole process.
    with as_before(torch), warnings.catch_warnings(), pyro.get_param_store().scope(), redirect_stdout(io.StringIO()):
        # Read only now, when no other thread trains.
        states = np.random.get_state(), random.getstate(), cudnn.benchmark, cudnn.deterministic  # noqa: NPY002
        flushed = (torch.tensor(1e-30) * 1e-10).item() == 0
        levels, kept = [each.level for each in loggers], kept_cells(scvi)
        warnings.simplefilter("ignore")
        for each in loggers:
            each.setLevel(logging.ERROR)
        torch.manual_seed(rng)
        # The moments of genes without a gradient fade into denormal numbers, which many CPUs are slow with.
        torch.set_flush_denormal(True)
        # scvi-tools draws from the global state, and takes no generator.
        np.random.seed(rng % 2**32)  # noqa: NPY002
        random.seed(rng)
        try:
            yield scvi
        finally:
            forget(kept)
            np.random.set_state(states[0])  # noqa: NPY002
            random.setstate(states[1])
            cudnn.benchmark, cudnn.deterministic = states[2:]
            torch.set_flush_denormal(flushed)
            for each, level in zip(loggers, levels, strict=True):
                each.setLevel(level)


def train(
    model: Any, epochs: int, *, network: int, what: str, labelled: bool = False, **more: Any
) -> list[dict[str, float]]:
    """Train a model of scvi-tools on all of its cells, and return its losses epoch by epoch.

    Parameters
    ----------
    model
        It has been set up.
    epochs
        Passes over the cells.
    network
        Number of this training among those of one fit.
    what
        Shown beside the progress bar.
    labelled
        Whether minibatches of labelled cells are drawn beside those of all cells.
    more
        Keyword arguments of ``model.train``.
    """
    from sc_annotate.neural.callbacks import Losses, Progress, ResampledLabels

    losses = Losses(network)
    callbacks = [Progress(epochs, what), losses, *([ResampledLabels()] if labelled else [])]
    try:
        with interruptible():
            model.train(
                max_epochs=epochs,
                accelerator="auto",
                callbacks=callbacks,
                logger=False,
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
                **more,
            )
    except ValueError as error:
        # Distributions refuse parameters that are NaN.
        if "constraint" in str(error) or "nan" in str(error).lower():
            raise MethodError(_DIVERGED) from error
        raise
    if not losses.history or not np.isfinite(losses.history[-1]["loss"]):
        raise MethodError(_DIVERGED)
    return losses.history


def in_blocks(
    function: Callable[[Any, Any], Any], X: Any, batches: NDArray[np.intp], n_columns: int
) -> NDArray[np.float32]:
    """What a network, on the CPU, makes of counts and batches, a block of cells at a time: cells x `n_columns`."""
    torch = libraries.torch()
    out = np.zeros((X.shape[0], n_columns), np.float32)
    with torch.inference_mode(), torch.random.fork_rng(devices=[]):
        for start in range(0, X.shape[0], _CELLS):
            rows = slice(start, start + _CELLS)
            numbers = torch.from_numpy(np.asarray(batches[rows], dtype=np.int64))[:, None]
            out[rows] = function(torch.from_numpy(as_dense(X[rows])), numbers).numpy()
    return out


def external(scvi: Any, name: str) -> Any:
    """A class of ``scvi.external``, which not every version of scvi-tools has."""
    if not hasattr(scvi.external, name):
        raise MissingExtraError(
            f"scvi-tools {scvi.__version__}, which is installed, has no {name}; versions 1.4 and 1.5 have it. Run: "
            'pip install "scvi-tools>=1.4,<1.6"'
        )
    return getattr(scvi.external, name)


def kept_cells(scvi: Any) -> list[tuple[dict[Any, Any], set[Any]]]:
    """The lists of objects that scvi-tools keeps for the whole process, one or two a class of models, and what is in each."""
    found, classes = [], [scvi.model.base.BaseModelClass]
    while classes:
        cls = classes.pop()
        classes += cls.__subclasses__()
        for name in ("_setup_adata_manager_store", "_per_instance_manager_store"):
            if name in vars(cls):
                found.append((vars(cls)[name], set(vars(cls)[name])))
    return found


def forget(before: list[tuple[dict[Any, Any], set[Any]]]) -> None:
    """Take what was added since `before` out of the lists of scvi-tools, so that no cells stay, after an error neither."""
    for now, then in before:
        for key in now.keys() - then:
            del now[key]


def whole_minibatches(size: int, numbers: Sequence[int]) -> int:
    """The minibatch size next to `size` that leaves no last minibatch of one or two cells, for each number of cells.

    Batch normalisation fails with one cell, and two are little better.

    Examples
    --------
    >>> whole_minibatches(128, [1000]), whole_minibatches(128, [129]), whole_minibatches(128, [2])
    (128, 129, 128)
    """

    def fits(candidate: int) -> bool:
        return candidate > 1 and all(n % candidate in (0, n) or n % candidate > 2 for n in numbers)

    size = int(size)  # torch refuses the integers of numpy
    return next(each for away in range(max(numbers) + size) for each in (size - away, size + away) if fits(each))

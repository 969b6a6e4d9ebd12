"""What a predictor must do, one method a check."""

from __future__ import annotations

import copy
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.registry import capabilities_of, declared
from sc_annotate.errors import InputError, MethodError, ScAnnotateWarning
from sc_annotate.predictors import Predictor, refits
from sc_annotate.testing._field_check import require_fields
from sc_annotate.testing._run import global_random_state, refused, require
from sc_annotate.testing.screens import ABSENT, easy_screen, with_unread_targets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sc_annotate.predictors import Screen


def _parts(screen: Screen) -> list[Any]:
    """All arrays of a screen."""
    found: list[Any] = [screen.genes, screen.control, screen.mean, screen.n_cells]
    if screen.cells is not None:
        X = screen.cells.X
        found += [X.data, X.indices, X.indptr, screen.cells.condition, screen.cells.batch]
    return found


def _same(a: NDArray[np.float64], b: NDArray[np.float64], tolerance: float = 1e-6) -> bool:
    return a.shape == b.shape and np.allclose(a, b, rtol=0, atol=tolerance, equal_nan=True)


class PredictorChecks:
    """One method a check; its name, without the leading ``check_``, is what the report says."""

    def __init__(self, cls: type[Any], params: dict[str, Any]) -> None:
        self.cls, self.params, self.task = cls, params, easy_screen()
        self._model: Any = None

    def fit(self, screen: Screen | None = None, *, rng: int = 0, model: Any = None) -> Any:
        model = self.cls(**self.params) if model is None else model
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fitted = model.fit(self.task.train if screen is None else screen, rng=rng)
        return model if fitted is None else fitted

    @property
    def model(self) -> Any:
        """Fitted once for the checks that only predict."""
        if self._model is None:
            self._model = self.fit()
        return self._model

    def predict(self, targets: list[tuple[str, ...]] | None = None, model: Any = None) -> NDArray[np.float64]:
        """Predict, and look at what no prediction may lack."""
        targets = self.task.asked if targets is None else targets
        model = self.model if model is None else model
        Y = model.predict(targets)
        require(isinstance(Y, np.ndarray), f"predict returned {type(Y).__name__}, not a numpy array")
        shape = (len(targets), len(self.task.train.genes))
        require(Y.shape == shape, f"predict returned the shape {Y.shape}, not {shape} (conditions x genes)")
        require(Y.dtype == np.float64, f"profiles are {Y.dtype}, not float64")
        require(not np.isinf(Y).any(), "profiles are infinite")
        missing = np.isnan(Y)
        require((missing.all(axis=1) | ~missing.any(axis=1)).all(), "a row is NaN in part; it must be whole or all NaN")
        return Y

    def check_fit_returns_self(self) -> None:
        model = self.cls(**self.params)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            require(model.fit(self.task.train) is model, "fit must return self")

    def check_profiles(self) -> None:
        Y = self.predict()
        require(np.isfinite(Y).any(), "every condition came back as NaN, those of the training screen too")

    def check_reasons(self) -> None:
        reasons = np.asarray(self.model.why_not(self.task.asked))
        require(reasons.shape == (len(self.task.asked),), f"why_not returned the shape {reasons.shape}")
        require(reasons.dtype.kind == "U", f"why_not returned {reasons.dtype}, not numpy str")
        can: list[bool] = np.isfinite(self.predict()[:, 0]).tolist()
        for targets, text, ok in zip(self.task.asked, reasons.tolist(), can, strict=True):
            require(ok or text, f"{targets} is NaN, and why_not gives no reason")
            require(not ok or not text, f"{targets} is predicted, and yet why_not says {text!r}")

    def check_a_reason_names_the_target(self) -> None:
        reason = str(np.asarray(self.model.why_not([(ABSENT,)]))[0])
        require(not reason or ABSENT in reason, f"the reason {reason!r} does not name the target {ABSENT!r}")

    def check_profiles_are_not_changes(self) -> None:
        Y = self.predict(self.task.asked)
        Y = Y[np.isfinite(Y).all(axis=1)]
        control = self.task.train.control
        near = np.abs(Y - control).mean() if len(Y) else 0.0
        require(
            near < np.abs(Y).mean() if len(Y) else True,
            "predictions lie nearer to 0 than to the control: return profiles, control plus change",
        )

    def check_order_of_targets_does_not_matter(self) -> None:
        pairs: list[tuple[str, ...]] = [t for t in self.task.asked if len(t) == 2]
        turned: list[tuple[str, ...]] = [tuple(reversed(t)) for t in pairs]
        same = _same(self.predict(pairs), self.predict(turned))
        require(same, "('A', 'B') and ('B', 'A') get different predictions")

    def check_a_condition_alone(self) -> None:
        together = self.predict()
        for i, targets in enumerate(self.task.asked):
            require(
                _same(self.predict([targets]), together[[i]]), f"{targets} alone gets another result than with others"
            )

    def check_no_conditions(self) -> None:
        self.predict([])
        require(np.asarray(self.model.why_not([])).shape == (0,), "why_not of no conditions must be empty")

    def check_input_not_modified(self) -> None:
        task = easy_screen()
        before = copy.deepcopy(_parts(task.train))
        model = self.fit(task.train)
        self.predict(model=model)[:] = 0
        require(
            all(np.array_equal(a, b) for a, b in zip(before, _parts(task.train), strict=True)),
            "the screen was modified",
        )
        require(
            _same(self.predict(model=model), self.predict()), "what predict returned is still the model's own memory"
        )

    def check_declarations(self) -> None:
        inputs = declared("perturbation", self.cls)["inputs"]
        require(inputs in ("profiles", "cells"), f"inputs must be 'profiles' or 'cells', not {inputs!r}")

    def check_hyperparameters_are_fields(self) -> None:
        require_fields(self.cls)

    def check_params_rebuild(self) -> None:
        params = getattr(self.cls(**self.params), "params", None)
        if callable(params):
            again = self.fit(model=self.cls(**params()))
            require(_same(self.predict(model=again), self.predict()), "made again from params(), it predicts otherwise")

    def check_bad_input_refused(self) -> None:
        if not issubclass(self.cls, Predictor):
            return
        new: Any = self.cls(**self.params)
        not_a_screen = self.task.train.mean
        refused(MethodError, "predict before fit", lambda: new.predict(self.task.seen))
        refused(InputError, "a matrix in place of a screen", lambda: new.fit(not_a_screen))
        refused(InputError, "targets that are no tuples", lambda: self.model.predict(["gene0"]))

    def check_same_rng_same_result(self) -> None:
        if not capabilities_of(self.cls).deterministic:
            return
        first, second = (self.predict(model=self.fit(rng=7)) for _ in range(2))
        require(np.array_equal(first, second, equal_nan=True), "two fits with the same rng differ")

    def check_fitting_again_forgets(self) -> None:
        half = self.task.train.select(np.arange(8))
        model = self.fit(model=self.fit(half))
        require(_same(self.predict(model=model), self.predict()), "a second fit remembers something of the first")

    def check_global_random_state_untouched(self) -> None:
        before = global_random_state()
        self.predict(model=self.fit())
        require(global_random_state() == before, "the global random state changed; use a generator of your own")

    def check_no_warnings(self) -> None:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model = self.cls(**self.params)
            model.fit(self.task.train)
            model.predict(self.task.asked)
        leaked = [
            f"{w.category.__name__}: {w.message}" for w in caught if not issubclass(w.category, ScAnnotateWarning)
        ]
        require(not leaked, f"warnings other than ScAnnotateWarning: {leaked}")

    def check_profiles_without_cells(self) -> None:
        if declared("perturbation", self.cls)["inputs"] == "cells":
            return
        train = self.task.train
        self.predict(model=self.fit(type(train)(train.genes, train.control, train.mean, train.targets)))

    def check_training_targets_that_are_no_genes(self) -> None:
        for every, which in ((2, "some targets are"), (1, "no target is")):
            screen = with_unread_targets(self.task.train, every)
            try:
                model = self.fit(screen)
            except Exception as error:
                what = f"fit fails where {which} among the genes"
                raise AssertionError(f"{what} ({type(error).__name__}: {error})") from error
            self.predict([*self.task.asked, *screen.targets], model)

    def check_two_conditions(self) -> None:
        self.predict(model=self.fit(self.task.train.select([0, 1])))

    def check_leave_one_out(self) -> None:
        if not hasattr(self.cls, "leave_one_out"):
            return
        screen, new = self.task.train.select(np.arange(8, 18)), self.task.unseen
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            short = list(self.cls(**self.params).leave_one_out(screen, new, rng=0))
            plain = list(refits(lambda: self.cls(**self.params), screen, new, 0))
        require(len(short) == len(plain), f"leave_one_out gave {len(short)} results for {len(plain)} conditions")
        for targets, (own, others), (own_again, others_again) in zip(screen.targets, short, plain, strict=True):
            same = _same(np.asarray(own), own_again) and _same(np.asarray(others), others_again)
            require(same, f"leave_one_out without {targets} differs from fitting again")

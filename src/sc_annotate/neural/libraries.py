"""torch, Lightning, captum and scvi-tools, imported when they are needed; what is wrong with them is said in one sentence."""

from __future__ import annotations

import random
import warnings
from importlib import import_module
from typing import Any

import numpy as np

from sc_annotate._core.extras import install_line, missing_extra
from sc_annotate.errors import MissingExtraError

_CPU = "https://download.pytorch.org/whl/cpu"
_WHO = {"torch": "deep methods", "scvi": "the models of scvi-tools"}


def torch() -> Any:
    """The module ``torch``."""
    return _library("torch")


def lightning() -> Any:
    """The module ``lightning.pytorch``."""
    torch()
    return _library("lightning.pytorch")


def captum() -> Any:
    """The module ``captum.attr``."""
    torch()
    return _library("captum.attr")


def entmax() -> Any:
    """The module ``entmax``."""
    torch()
    return _library("entmax")


def scvi() -> Any:
    """The module ``scvi``."""
    lightning()
    from torch.backends import cudnn

    before = cudnn.benchmark, cudnn.deterministic
    try:
        return _library("scvi", extra="scvi", package="scvi-tools")
    finally:
        # Its import sets them.
        cudnn.benchmark, cudnn.deterministic = before


def _library(name: str, *, extra: str = "torch", package: str | None = None) -> Any:
    top = name.partition(".")[0]
    package = package or top
    # Imports of Lightning and scvi-tools draw from the global random states, or seed them.
    states = np.random.get_state(), random.getstate()  # noqa: NPY002
    try:
        with warnings.catch_warnings():
            # What other packages deprecate at import is not for users of this one.
            warnings.simplefilter("ignore")
            return import_module(name)
    except ImportError as error:
        raise missing_extra(f"{_WHO[extra]} need {package}", top, extra, error) from error
    except (RuntimeError, OSError, AttributeError) as error:
        # Compiled parts that do not belong together fail in many ways, none of them an ImportError.
        raise MissingExtraError(broken(package, error, extra)) from error
    finally:
        np.random.set_state(states[0])  # noqa: NPY002
        random.setstate(states[1])


def broken(name: str, error: BaseException, extra: str = "torch") -> str:
    """What to say where an installed library fails at import.

    Examples
    --------
    >>> "torchvision" in broken("lightning", RuntimeError("operator torchvision::nms does not exist"))
    True
    """
    said = " ".join(str(error).split())[:200] or type(error).__name__
    if "torchvision::" in said or "torchvision" in said:
        return (
            f"{name} is installed and cannot be imported: torchvision belongs to another build of torch ({said}). Deep "
            "methods do not need torchvision: run pip uninstall torchvision; or install both from one place, as in: "
            f"pip install torch torchvision --index-url {_CPU}"
        )
    return f"{name} is installed and cannot be imported ({said}). Reinstall it: {install_line(extra)} --force-reinstall"

"""Which kind of evidence is gathered, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sc_annotate._core.arguments import one_of
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from sc_annotate._core.registry import Capabilities

WORDS = {
    "integrated_gradients": "integrated gradients of the log-odds",
    "input_x_gradient": "slope of the log-odds times value",
    "attention_x_value": "attention times value",
    "attention": "attention",
}
_OF_ATTENTION = {"attention", "attention_x_value"}


def chosen_saliency(saliency: str | None, can: Capabilities, method: str) -> str | None:
    """The kind to ask for, by default the first that the method has; None where it has one alone."""
    if can.saliencies:
        return can.saliencies[0] if saliency is None else one_of(saliency, "saliency", can.saliencies)
    if saliency is not None:
        raise InputError(
            f"saliency={saliency!r}: {method!r} has one kind of evidence alone, {how_in_words(None, can)}. Leave saliency out."
        )
    return None


def how_in_words(saliency: str | None, can: Capabilities) -> str:
    """How the evidence is computed."""
    if saliency is not None:
        return WORDS.get(saliency, saliency.replace("_", " "))
    if can.linear:
        return WORDS["input_x_gradient"]
    return "the method's own" if can.evidence else "one gene deleted at a time"


def unit_of(saliency: str | None) -> str:
    """What a contribution is a number of."""
    return WORDS[saliency] if saliency in _OF_ATTENTION else "log-odds"

r"""Names of cell types in one spelling, so that "CD14+ Monocytes" finds "CD14-positive monocyte".

A wrong id is worse than none: what changes the meaning (a sign, "low", the order of words) is never dropped.
"""

from __future__ import annotations

import re
import unicodedata

# A surface marker and its sign, as people and the ontology write it.
_MARKER = r"(?:cd\d+[a-z]{0,2}|fcgr3a|ccr\d+|cxcr\d+|il\d+ra?|hla-?dr)"
_SIGNS = (
    (rf"\b({_MARKER})\s*(?:\+|-?\s?positive\b|-?\s?pos\b)", r" \1+ "),
    (rf"\b({_MARKER})\s*(?:-?\s?negative\b|-?\s?neg\b|-(?=\s|,|/|$|cd\d))", r" \1~ "),
    (rf"\b({_MARKER})\s*-?\s?(?:low|lo|dim)\b", r" \1low "),
    (rf"\b({_MARKER})\s*-?\s?(?:high|hi|bright)\b", r" \1high "),
)
_SIGNED = re.compile(rf"{_MARKER}(?:\+|~|low|high)?")
_PLURAL_KEPT = ("ss", "us", "is")

SHORT = {
    "dc": "dendritic cell",
    "dcs": "dendritic cell",
    "mono": "monocyte",
    "monos": "monocyte",
    "nk": "natural killer cell",
    "pdc": "plasmacytoid dendritic cell",
    "pdcs": "plasmacytoid dendritic cell",
    "treg": "regulatory t cell",
    "tregs": "regulatory t cell",
}
"""Abbreviations that mean one thing in every tissue. HSC (hematopoietic stem or hepatic stellate cell) is not one."""

UNCLEAR = frozenset(
    f"{word}{cell}"
    for word in (
        "alpha",
        "beta",
        "gamma",
        "delta",
        "epsilon",
        "stellate",
        "hsc",
        "principal",
        *"acdefghijklmnopqrsuvwxyz",
    )
    for cell in ("", " cell")
) | {"cd16+ monocyte", "cd16+ mono"}
"""Names that mean other cells in other contexts, and so no term but one of exactly that name.

The ontology has "alpha cell" for one in the retina and "P cell" for one in the heart. It has "CD16+ monocyte" for those
with CD14 as well, and people use it for non-classical ones, with little CD14.
"""

_T_CELLS = {
    "cd4+ t cell": "cd4+ alpha beta t cell",
    "cd8+ t cell": "cd8+ alpha beta t cell",
    "cd4+ naive t cell": "cd4+ naive thymus derived alpha beta t cell",
    "cd8+ naive t cell": "cd8+ naive thymus derived alpha beta t cell",
    "cd4+ memory t cell": "cd4+ alpha beta memory t cell",
    "cd8+ memory t cell": "cd8+ alpha beta memory t cell",
    "cd4+ cytotoxic t cell": "cd4+ alpha beta cytotoxic t cell",
    "cd8+ cytotoxic t cell": "cd8+ alpha beta cytotoxic t cell",
}
"""What everybody calls the T cells that the Cell Ontology names in full."""


def spelling(text: str) -> str:
    """One spelling of a name: case, dashes, signs of markers, commas, plural of the last word; markers first."""
    text = re.sub("[\u2010-\u2014\u2212]", "-", unicodedata.normalize("NFKC", text).casefold())
    text = text.replace("_", " ")
    for pattern, instead in _SIGNS:
        text = re.sub(pattern, instead, text)
    # A dash joins words; one before a sign or a number (IL-2) stays.
    text = re.sub(r"(?<=[a-z])-(?=[a-z])", " ", text)
    words = [w for w in re.split(r"[\s,;]+", text) if w]
    if words and len(words[-1]) > 3 and words[-1].endswith("s") and not words[-1].endswith(_PLURAL_KEPT):
        words[-1] = words[-1][:-1]
    markers = [w for w in words if _SIGNED.fullmatch(w)]
    return " ".join([*sorted(markers), *(w for w in words if not _SIGNED.fullmatch(w))])


def with_cell(name: str) -> str:
    """The spelling with "cell" behind it where it has none; of single letters B and T only."""
    if not name or name.endswith("cell"):
        return ""
    last = name.split()[-1]
    return f"{name} cell" if len(last) > 1 or last in ("b", "t") else ""


def written_out(name: str) -> list[str]:
    """A spelling with abbreviations written out, the likeliest first; empty where it has none."""
    words = name.split()
    text = " ".join(SHORT.get(w, w) for w in words)
    text = re.sub(r"\bcell cell$", "cell", text)
    # Without a sign, CD4 and CD8 before T and CD14 before monocyte mean that the cell has it.
    text = re.sub(r"^(cd4|cd8) (?=(.*\s)?t( cell)?$)", r"\1+ ", text)
    text = re.sub(r"^cd14 (?=monocyte$)", "cd14+ ", text)
    if text.split()[-1:] == ["t"]:
        text += " cell"
    text = _T_CELLS.get(text, text)
    return [] if text == name else [text]

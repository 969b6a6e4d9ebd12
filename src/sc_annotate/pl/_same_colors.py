"""One colour for each type in all panels of a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sc_annotate._store.reading import obs_of
from sc_annotate.pl import _style as style

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData

    from sc_annotate.pl._embedding import Panel
    from sc_annotate.pl._parts import Part

Group = list[tuple["Panel", dict[str, str]]]
"""Panels that have types in common, each with the colours that the object states for it."""


def share_colors(adata: AnnData, panels: Sequence[Panel], parts: Sequence[Part]) -> None:
    """Give each type the same colour in all panels, and say where colours repeat.

    Colours that the object states come first, those of earlier panels before those of later ones. Panels without a type in
    common, such as labels and clusters, keep their own.
    """
    groups: list[Group] = []
    for panel, part in zip(panels, parts, strict=True):
        if panel.colors is None or (part.key is not None and part.name == "status"):
            continue
        group: Group = [(panel, _stated(adata, part, panel.colors))]
        touching = [other for other in groups if any(set(panel.colors) & set(one.colors or {}) for one, _ in other)]
        groups = [other for other in groups if other not in touching]
        groups.append([item for other in touching for item in other] + group)
    for group in groups:
        if len(group) > 1:
            colors = _joint(group)
            for panel, _ in group:
                panel.colors = {name: colors[name] for name in panel.colors or {}}
    for panel in panels:
        if panel.colors is not None and len(set(panel.colors.values())) < len(panel.colors):
            panel.notes.insert(0, "colours repeat with another marker")


def _stated(adata: AnnData, part: Part, shown: dict[str, str]) -> dict[str, str]:
    """The colours of a panel that the object states: of its own column, or of the label of its result."""
    for column in (part.column, part.key if part.is_label else None):
        if column is not None:
            own = style.own_colors(adata, column, obs_of(adata)[column].astype("category"))
            if own:
                return {name: own[name] for name in shown if name in own}
    return {}


def _joint(group: Group) -> dict[str, str]:
    """A colour for each type of the panels; of colours that two types claim, the first keeps it."""
    known: dict[str, str] = {}
    for stated in (own for _, own in group):
        taken = set(known.values())
        known |= {name: color for name, color in stated.items() if name not in known and color not in taken}
    for panel, _ in group:
        far = style.far_from(known.values())
        known |= {name: color for name, color in (panel.colors or {}).items() if name not in known and far(color)}
    return style.kept_apart((name for panel, _ in group for name in panel.colors or {}), known)

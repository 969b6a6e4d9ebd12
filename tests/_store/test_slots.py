"""Names of the slots: all derived from the key, none twice."""

from __future__ import annotations

import pytest

from sc_annotate._store.slots import DEFAULT_KEY, GIVEN, STATUSES, Slots


@pytest.mark.parametrize("key", [DEFAULT_KEY, "my calls", "ψ"])
def test_slots(key: str):
    slots = Slots(key)
    assert slots.obs == (
        key,
        f"{key}_confidence",
        f"{key}_status",
        f"{key}_set_size",
        f"{key}_unfamiliarity",
        f"{key}_group",
        f"{key}_low_quality",
        f"{key}_disagreement",
        f"{key}_voted",
        f"{key}_voted_share",
        f"{key}_clusters",
        f"{key}_markers_agree",
        f"{key}_rollup",
        f"{key}_rollup_confidence",
        f"{key}_rollup_ontology_term_id",
        f"{key}_model",
    )
    assert slots.obsm == (f"{key}_proba", f"{key}_disagrees")
    assert len(set(slots.obs)) == len(slots.obs)
    assert (slots.uns, slots.proba, slots.colors) == (key, f"{key}_proba", f"{key}_colors")
    # scanpy looks for the colours of a column under this very name.
    assert slots.colors == f"{slots.label}_colors"


def test_statuses():
    assert GIVEN in STATUSES
    assert len(set(STATUSES)) == 5

"""Columns of labels, and of their confidence, as other tools name them."""

from __future__ import annotations

import pytest

from sc_annotate.interop.label_columns import UNKNOWN, label_column


@pytest.mark.parametrize(
    ("column", "others", "tool", "score", "votes"),
    [
        ("predicted_labels", ["over_clustering", "majority_voting", "conf_score"], "celltypist", "conf_score", False),
        ("majority_voting", ["predicted_labels", "over_clustering", "conf_score"], "celltypist", "conf_score", False),
        ("ct_majority_voting", ["ct_over_clustering"], "celltypist", None, False),
        ("ct_predicted_labels", ["conf_score"], UNKNOWN, None, False),
        ("predicted_labels", [], UNKNOWN, None, False),
        ("popv_prediction", ["popv_prediction_score"], "popv", "popv_prediction_score", True),
        ("popv_majority_vote_prediction", ["popv_majority_vote_score"], "popv", "popv_majority_vote_score", True),
        ("predicted.celltype.l2", ["predicted.celltype.l2.score"], "azimuth", "predicted.celltype.l2.score", False),
        ("predicted_celltype_l2", ["predicted_celltype_l2_score"], "azimuth", "predicted_celltype_l2_score", False),
        ("predicted.ann_level_3", ["mapping.score"], "azimuth", None, False),
        ("final_level_labels", ["final_level_confidence"], "azimuth", "final_level_confidence", False),
        ("predicted.id", ["prediction.score.max"], "seurat", "prediction.score.max", False),
        ("predicted_labels", ["predicted_labels_score"], UNKNOWN, "predicted_labels_score", False),
        ("predicted_cell", ["predicted_cell_score"], UNKNOWN, "predicted_cell_score", False),
        ("gpt", ["gpt_confidence", "gpt_model"], UNKNOWN, "gpt_confidence", False),
        ("my label {0}", ["my label {0}_prob"], UNKNOWN, "my label {0}_prob", False),
        ("cell_type", ["donor"], UNKNOWN, None, False),
    ],
)
def test_tools(column: str, others: list[str], tool: str, score: str | None, votes: bool) -> None:
    found = label_column(column, [column, *others])
    assert (found.tool, found.score, found.counts_votes) == (tool, score, votes)


def test_the_confidence_of_a_vote_is_that_of_the_cell() -> None:
    columns = ["predicted_labels", "majority_voting", "conf_score"]
    assert "insert_conf_by" in label_column("majority_voting", columns).note
    assert not label_column("predicted_labels", columns).note

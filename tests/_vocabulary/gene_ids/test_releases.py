"""Symbols of an older release are recognised, those of today never."""

from __future__ import annotations

import numpy as np
import pytest

from sc_annotate._vocabulary.gene_ids.releases import dates, old_symbols


@pytest.mark.parametrize(
    "name", ["SEPT2", "SEPT14", "MARCH1", "HIST1H4C", "ATP5A1", "ATP5O", "H2AFZ", "H3F3B", "IL8", "FYB"]
)
def test_old(name: str):
    assert old_symbols(np.array(["CD4", name])) == [name]


@pytest.mark.parametrize(
    "name",
    [
        "SEPTIN2",
        "MARCHF1",
        "H4C3",
        "ATP5F1A",
        "ATP5IF1",
        "ATP5MC2",
        "ATP5PO",
        "H2AZ1",
        "H3-3B",
        "CXCL8",
        "FYB1",
        "Sept2",
        "",
    ],
)
def test_of_today(name: str):
    assert old_symbols(np.array([name])) == []


def test_dates_of_spreadsheets():
    assert dates(np.array(["1-Mar", "02-Sep", "1-DEC", "SEPT2", "11-34P13.7", "1-Mar-2"])) == [
        "1-Mar",
        "02-Sep",
        "1-DEC",
    ]

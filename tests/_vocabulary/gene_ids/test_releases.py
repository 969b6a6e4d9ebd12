"""Symbols of an older release are recognised, those of today never."""

from __future__ import annotations

import numpy as np
import pytest

from sc_annotate._vocabulary.gene_ids.releases import dates, may_become_date, old_symbols


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


@pytest.mark.parametrize(
    "name",
    [
        "1-Mar",
        "02-Sep",
        "1-DEC",
        "Mar-01",
        "Sep-2",
        "9-Sept",
        "2021-03-01",
        "2021-09-02 00:00:00",
        "1-Mar-21",
        "1-Mar-2021",
        "3/1/2021",
    ],
)
def test_dates_of_spreadsheets(name: str):
    assert dates(np.array(["CD4", name])) == [name]


@pytest.mark.parametrize(
    "name",
    [
        "SEPT2",
        "MARCH1",
        "MARC1",
        "DEC1",
        "11-34P13.7",
        "Mar1",
        "NKX2-1",
        "HLA-DRB1",
        "MAR-AS1",
        "1-Mar-",
        "2021",
        "H2-K1",
        "12-34",
        "sep-1",
        "dec-11",
        "apr-1",
    ],
)
def test_no_dates(name: str):
    assert dates(np.array([name])) == []


@pytest.mark.parametrize(
    ("name", "may"),
    [
        ("MARCH1", True),
        ("MARCHF11", True),
        ("Sept2", True),
        ("SEPTIN9", True),
        ("DEC1", True),
        ("MARCKS", False),
        ("SEPTIN", False),
        ("CD4", False),
    ],
)
def test_may_become_a_date(name: str, may: bool):
    assert may_become_date(name) is may

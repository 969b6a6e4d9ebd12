"""How models and reports look in a notebook: small tables, with everything that came from data escaped."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import sc_annotate as sca
from sc_annotate._core.html import Table, as_html
from sc_annotate.get import Report

if TYPE_CHECKING:
    from anndata import AnnData

HOSTILE = "<script>alert('x')</script> & \"co\""
TAGS = {"div", "table", "tr", "th", "td"}


class Page(HTMLParser):
    """Tags, their attributes and the text between them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.open.append(tag)
        self.tags.add(tag)
        self.attributes |= {f"{k}={v}" for k, v in attrs}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data + " "


@pytest.fixture(scope="module")
def hostile() -> AnnData:
    out = sca.datasets.simulate_reference(400, 120, 3, rng=0)
    out.obs["cell_type"] = out.obs["cell_type"].cat.rename_categories({"type_01": HOSTILE})
    out.obs["broad"] = np.where(out.obs["cell_type"] == HOSTILE, HOSTILE, "other")
    return out


@pytest.mark.parametrize("labels", ["cell_type", ["broad", "cell_type"]])
def test_models_and_reports(hostile: AnnData, labels: Any) -> None:
    reference, query = hostile[:300].copy(), hostile[300:].copy()
    model = sca.tl.fit_annotator(reference, labels, method="nearest_centroid")
    sca.tl.annotate(query, model, key_added="<b>")
    report = sca.get.report(query, "<b>")
    for shown, plain in ((model, str(model)), (report, str(report))):
        html = shown._repr_html_()
        page = Page(html)
        assert page.tags == TAGS
        assert HOSTILE in page.text
        assert model.id in page.text
        # Light and dark: no colour of its own.
        styles = " ".join(page.attributes)
        assert "#" not in styles
        assert "rgb" not in styles
        assert "color:inherit" in styles
        assert len(html) < 60_000
        for word in ("nearest_centroid", "logreg", "majority", "macro-F1", "95 %"):
            assert word in page.text
        assert len(plain.splitlines()) < 40
    for status, n in query.obs["<b>_status"].value_counts().items():
        assert n == 0 or f"{status} {n}" in Page(report._repr_html_()).text


def test_models_without_scores(hostile: AnnData) -> None:
    model = sca.tl.fit_annotator(hostile, "cell_type", method="majority", cv=0, trust=None)
    assert "none (fitted without held-out cells)" in Page(model._repr_html_()).text


def test_many_types_are_cut(hostile: AnnData) -> None:
    cells = sca.datasets.simulate_reference(900, 80, 30, rng=0)
    model = sca.tl.fit_annotator(cells, "cell_type", method="nearest_centroid", cv=0, trust=None, min_cells=1)
    n = len(model.classes)
    assert f"and {n - 12} more types" in Page(model._repr_html_()).text
    sca.tl.annotate(cells, model, key_added="x")
    assert "more types" in Page(sca.get.report(cells, "x")._repr_html_()).text


def test_a_report_of_lines_alone() -> None:
    page = Page(Report(("one", "<i>two</i>"))._repr_html_())
    assert page.text.split() == ["one", "<i>two</i>"]
    assert Page(Report(())._repr_html_()).text.strip() == ""


def test_cells_of_tables() -> None:
    html = as_html(
        "t", [("a", Table(("x<", "n"), [("<y>", 1234), ("z", None)])), ("b", Table(("v",), [(np.nan,), (0.5,)]))]
    )
    assert Page(html).text.split() == ["t", "a", "x<", "n", "<y>", "1,234", "z", "b", "v", "0.500"]

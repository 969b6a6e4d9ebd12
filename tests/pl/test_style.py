"""Colours and texts."""

from __future__ import annotations

import pytest
from matplotlib import pyplot as plt

from sc_annotate.pl import _style as style


def test_forty_characters_are_shown_in_full() -> None:
    fits = "x" * 40
    long = "CD4-positive, CD25-positive, alpha-beta regulatory T cell"
    short = style.shorten([fits, long])
    assert short[0] == fits
    assert len(short[1]) == 40
    assert short[1].startswith("CD4-positive")
    assert short[1].endswith("regulatory T cell")


def test_names_that_would_look_the_same_stay_long() -> None:
    twins = [f"{'a' * 20}{i}{'b' * 30}" for i in range(2)]
    assert style.shorten(twins) == twins


def test_line_breaks_go() -> None:
    assert style.shorten(["B\ncell"]) == ["B cell"]


def test_measured_width_is_that_of_the_picture() -> None:
    figure = plt.figure(dpi=300)
    label = "CD8+/CD45RA+ Naive Cytotoxic $_x"
    text = figure.text(0, 0, label, fontsize=style.FONT, parse_math=False)
    figure.canvas.draw()
    assert style.width_of(["B", label], style.FONT) == pytest.approx(text.get_window_extent().width / 300, rel=0.03)
    assert style.width_of([], style.FONT) == 0


@pytest.mark.parametrize("n", [1, 10, 20, 28, 40, 80])
def test_palette_has_different_colours_that_can_be_seen(n: int) -> None:
    colors = style.palette(n)
    assert len(set(colors)) == n
    if n > 28:
        assert all(style.luminance(c) < style.PALE for c in colors)


def test_palette_repeats_in_the_end() -> None:
    assert len(style.palette(300)) == 300


def test_luminance() -> None:
    """The reference values of WCAG."""
    assert style.luminance("black") == 0
    assert style.luminance("white") == pytest.approx(1)
    assert style.luminance("red") == pytest.approx(0.2126)
    assert style.luminance("#777777") == pytest.approx(0.1845, abs=1e-3)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0])
def test_numbers_can_be_read_on_every_shade(share: float) -> None:
    shade = plt.get_cmap(style.HEAT)(share)
    pair = sorted([style.luminance(shade), style.luminance(style.ink_on(shade))])
    assert (pair[1] + 0.05) / (pair[0] + 0.05) > 3.5

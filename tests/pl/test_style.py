"""Colours and texts."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgb

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


# Least distances (CIEDE2000) that the palette was chosen for.
APART = {10: 24.0, 20: 17.0, 40: 13.0, 60: 12.0}


def lab(linear: np.ndarray) -> np.ndarray:
    """CIELAB of linear RGB, D65."""
    to_xyz = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    xyz = linear @ np.transpose(to_xyz) / [0.95047, 1, 1.08883]
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)


def ciede2000(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Sharma, Wu & Dalal 2005."""
    (l1, a1, b1), (l2, a2, b2) = np.moveaxis(one, -1, 0), np.moveaxis(other, -1, 0)
    seventh = ((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2) ** 7
    g = 0.5 * (1 - np.sqrt(seventh / (seventh + 25.0**7)))
    a1, a2 = (1 + g) * a1, (1 + g) * a2
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = np.degrees(np.arctan2(b1, a1)) % 360, np.degrees(np.arctan2(b2, a2)) % 360
    turn = (h2 - h1 + 180) % 360 - 180
    dh = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn) / 2)
    light, c, h = (l1 + l2) / 2, (c1 + c2) / 2, h1 + turn / 2
    t = (
        1 - 0.17 * np.cos(np.radians(h - 30)) + 0.24 * np.cos(np.radians(2 * h))
        + 0.32 * np.cos(np.radians(3 * h + 6)) - 0.2 * np.cos(np.radians(4 * h - 63))
    )  # fmt: skip
    sl = 1 + 0.015 * (light - 50) ** 2 / np.sqrt(20 + (light - 50) ** 2)
    sc, sh = 1 + 0.045 * c, 1 + 0.015 * c * t
    around_blue = np.radians(60 * np.exp(-(((((h - 275) % 360 + 180) % 360 - 180) / 25) ** 2)))
    rt = -np.sin(around_blue) * 2 * np.sqrt(c**7 / (c**7 + 25.0**7))
    parts = (l2 - l1) / sl, (c2 - c1) / sc, dh / sh
    return np.asarray(np.sqrt(parts[0] ** 2 + parts[1] ** 2 + parts[2] ** 2 + rt * parts[1] * parts[2]))


def least_distance(colors: list[str], seen_as: list[list[float]] | None = None) -> float:
    rgb = np.array([to_rgb(c) for c in colors])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    if seen_as is not None:
        linear = np.clip(linear @ np.transpose(seen_as), 0, 1)
    points = lab(linear)
    distance = ciede2000(points[:, None], points[None])
    return float(distance[np.triu_indices(len(colors), 1)].min())


def test_the_distance_is_that_of_its_authors() -> None:
    pairs = [
        ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
        ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ]
    for one, other, expected in pairs:
        assert ciede2000(np.array(one), np.array(other)) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("n", [1, 10, 20, 28, 40, 60])
def test_colours_stay_apart(n: int) -> None:
    colors = style.palette(n)
    assert len(set(colors)) == n
    assert all(style.luminance(c) < style.PALE for c in colors)
    if n > 10:
        assert least_distance(colors) > next(apart for most, apart in APART.items() if n <= most)
        assert least_distance([*colors, style.GREY]) > 10


def test_with_colour_vision_deficiency() -> None:
    """Protanopia and deuteranopia, as Machado et al. 2009 simulate them."""
    machado = {
        "protanopia": [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ],
        "deuteranopia": [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ],
    }
    for matrix in machado.values():
        assert least_distance(style.palette(60), matrix) > 4
        assert least_distance(style.palette(20), matrix) > 6


def test_the_style_of_the_user_comes_first() -> None:
    cycle = ["#ff0000", "#00ff00", "#0000ff"]
    with plt.rc_context({"axes.prop_cycle": plt.cycler(color=cycle)}):
        assert style.palette(3) == cycle
        assert style.palette(4)[0] not in cycle


def test_colours_repeat_after_sixty_with_another_marker() -> None:
    colors = style.palette(300)
    assert colors[:60] == colors[60:120]
    assert len(set(zip(colors, style.marker_of(colors), strict=True))) == 300


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

"""Colours of types that can be told apart, in an order in which the first n are apart too.

Chosen for the largest distance (CIEDE2000) between any two of the 60, where a distance under protanopia or deuteranopia
(Machado et al. 2009) counts three times: none is as pale as the grey of cells without a value, or as dark as text.

Least distance of any two of the first n, and with both deficiencies:

====  ======  ============  ==========
n     normal  deuteranopia  protanopia
====  ======  ============  ==========
10    24.9    8.3           12.4
20    18.0    6.2           6.6
40    13.6    4.5           4.7
60    12.5    4.3           4.1
====  ======  ============  ==========
"""

from __future__ import annotations

PALETTE = [
    "#0089c4", "#14eb00", "#760014", "#ff9dc4", "#9d8962", "#7600b1", "#00b19d", "#143b3b", "#d84e3b", "#626276",
    "#9d89ff", "#008927", "#4ed8ff", "#624e00", "#ff00d8", "#eb9d76", "#627662", "#899d00", "#9d7676", "#004e76",
    "#89004e", "#d8c49d", "#b16200", "#003b00", "#894e3b", "#b19dc4", "#c4274e", "#002789", "#ff6276", "#764e62",
    "#4e3b27", "#9dc4c4", "#c4009d", "#3b8989", "#d8b1b1", "#b1d876", "#89b1ff", "#c46289", "#62b14e", "#eb9d00",
    "#00d889", "#76624e", "#89769d", "#4e62ff", "#eb7614", "#3b6227", "#b11414", "#4e1462", "#76894e", "#0027ff",
    "#4e4e3b", "#c400ff", "#9db189", "#eb89eb", "#27d8d8", "#769db1", "#624e89", "#276262", "#3b3b4e", "#4e2727",
]  # fmt: skip

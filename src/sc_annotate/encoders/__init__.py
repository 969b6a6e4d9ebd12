"""Encoders: coordinates of cells learned without labels; arrays in, arrays out, one file an objective."""

from __future__ import annotations

from sc_annotate.encoders._base import Encoder
from sc_annotate.encoders.augmentations import AUGMENTATIONS
from sc_annotate.encoders.chain import augment

__all__ = ["AUGMENTATIONS", "Encoder", "augment"]

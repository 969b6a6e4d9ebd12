"""Fitted models that are published by others, by name."""

from __future__ import annotations

from sc_annotate.models._available import available

__all__ = ["available"]

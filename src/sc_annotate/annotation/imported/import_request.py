"""Where another tool left its labels and their confidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sc_annotate._core.arguments import Request, default
from sc_annotate._core.codec import check_texts
from sc_annotate.errors import InputError


@dataclass(frozen=True, kw_only=True)
class ImportRequest(Request):
    """The confidence (None: looked for; False: none), the groups and the column of the labels, the name of the tool."""

    score: Any = default(None)
    groupby: str | None = default(None)
    column: str | None = default(None)
    method: str | None = default(None)

    def check(self) -> None:
        for name in ("groupby", "column", "method"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, str) or not value):
                raise InputError(f"{name} must be a non-empty text or None, not {value!r}.")
        if self.method is not None:
            check_texts([self.method], "method", InputError)

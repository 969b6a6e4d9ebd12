"""Small tables for notebooks: text is escaped, and colours are those of the page, light or dark."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

_CELL = "padding:0.1em 0.8em 0.1em 0;vertical-align:top;background:none;color:inherit;border:none;"
_TEXT, _NUMBER = f"{_CELL}text-align:left", f"{_CELL}text-align:right"
_QUIET = "opacity:0.7;font-weight:normal;"


@dataclass(frozen=True)
class Table:
    """Column names and rows; what is no text is set as a number."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


def as_html(title: str, parts: Sequence[tuple[str, str | Table]]) -> str:
    """A title, and below it texts and tables, each with its name beside it.

    Examples
    --------
    >>> as_html("model", [("types", "<B>")]).count("&lt;B&gt;")
    1
    """
    rows = "".join(
        f'<tr><th style="{_TEXT};{_QUIET}">{escape(name)}</th><td style="{_TEXT}">{_shown(part)}</td></tr>'
        for name, part in parts
    )
    return (
        f'<div style="color:inherit;font-size:90%"><div style="font-weight:bold">{escape(title)}</div>'
        f'<table style="border-collapse:collapse;border:none;margin:0.3em 0">{rows}</table></div>'
    )


def _shown(part: str | Table) -> str:
    if isinstance(part, str):
        return escape(part)
    numbers = [all(not isinstance(row[i], str) for row in part.rows) for i in range(len(part.columns))]
    styles = [_NUMBER if number else _TEXT for number in numbers]
    head = "".join(f'<th style="{s};{_QUIET}">{escape(c)}</th>' for c, s in zip(part.columns, styles, strict=True))
    body = "".join(
        "<tr>" + "".join(f'<td style="{s}">{_value(v)}</td>' for v, s in zip(row, styles, strict=True)) + "</tr>"
        for row in part.rows
    )
    return f'<table style="border-collapse:collapse;border:none;margin:0"><tr>{head}</tr>{body}</table>'


def _value(value: Any) -> str:
    if isinstance(value, str):
        return escape(value)
    if value is None or value != value:
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"

"""How a command line is read: each option once and in full, and one line for what cannot be read."""

from __future__ import annotations

import argparse
import difflib
from typing import TYPE_CHECKING, Any, NoReturn

from sc_annotate._core.files import one_line, shortened
from sc_annotate.cli.output import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

USAGE = 2
"""Exit code where the command line cannot be read."""


class Parser(argparse.ArgumentParser):
    """A parser that refuses abbreviations, options that occur twice and empty values."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # An abbreviation of today may mean another option tomorrow.
        super().__init__(*args, **({"allow_abbrev": False} | kwargs))
        self.register("action", None, _Once)
        self.register("action", "append", _Each)

    def error(self, message: str) -> NoReturn:
        """One line, and exit code 2."""
        text = printable(shortened(one_line(message)))
        end = "" if text.endswith("?") else "."
        self.exit(USAGE, f"{self.prog}: {text}{end} `{self.prog} --help` shows how it is used.\n")

    def unknown(self, texts: Sequence[str]) -> NoReturn:
        """Refuse what is no option or file of the command, with the options that are near."""
        known = [flag for action in self._actions for flag in action.option_strings if flag.startswith("--")]
        hints = []
        for text in texts:
            name = text.partition("=")[0]
            near = [flag for flag in known if len(name) > 3 and flag.startswith(name)] if name.startswith("--") else []
            near = near[:3] or difflib.get_close_matches(name, known, n=1, cutoff=0.7)
            hints += [f" Did you mean {' or '.join(near)}?"] if near else []
        self.error(f"unknown: {' '.join(texts)}{'.' if hints else ''}{''.join(hints)}")


class _Once(argparse.Action):
    """Keep a value; a second one for the same option is refused, as one of the two would be ignored."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        _not_empty(self, values)
        written = vars(namespace).setdefault("_written", set())
        if self.dest in written:
            raise argparse.ArgumentError(self, "occurs twice; leave one out")
        written.add(self.dest)
        setattr(namespace, self.dest, values)


class _Each(argparse.Action):
    """Collect the values of an option that may be repeated."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        _not_empty(self, values)
        setattr(namespace, self.dest, [*(getattr(namespace, self.dest, None) or ()), values])


def _not_empty(action: argparse.Action, value: Any) -> None:
    if value == "":
        raise argparse.ArgumentError(action, "is empty")

"""Options of commands, each for one argument of the function behind it, and errors in the words of options."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sc_annotate._core.codec import shown
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence


@dataclass(frozen=True)
class Option:
    """An option, the argument that it sets, and how its text becomes the argument's value.

    ``switch`` is the value of an option that takes none; ``many`` collects the values of an option that is repeated.
    """

    flag: str
    argument: str
    help: str
    read: Callable[[str], Any] = str
    switch: Any = None
    many: bool = False
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def dest(self) -> str:
        """Where argparse keeps it."""
        return self.flag.removeprefix("--").replace("-", "_")


def add(parser: Any, options: Sequence[Option], *, heading: str | None = None) -> None:
    """Add options to a command, under a heading of its help."""
    group = parser if heading is None else parser.add_argument_group(heading)
    for each in options:
        if each.switch is not None:
            group.add_argument(each.flag, action="store_const", const=each.switch, help=each.help, **each.more)
        else:
            action = {"action": "append"} if each.many else {}
            group.add_argument(each.flag, type=each.read, help=each.help, **action, **each.more)


def written(args: argparse.Namespace, options: Sequence[Option]) -> dict[str, Any]:
    """The arguments whose options were written, so that the function sees which are defaults."""
    found = {each.argument: getattr(args, each.dest, None) for each in options}
    return {name: value for name, value in found.items() if value is not None}


def refuse_others(args: argparse.Namespace, options: Sequence[Option], kept: Sequence[Option], *, why: str) -> None:
    """Refuse the options that were written though the function behind this mode has no such argument."""
    flags = {each.flag for each in kept}
    wrong = [each.flag for each in options if each.flag not in flags and getattr(args, each.dest, None) is not None]
    if wrong:
        raise InputError(f"{', '.join(wrong)}: {why}. Leave it out.")


SPOKEN = {
    r"(?:overrides=|--override )\{(['\"])(.*?)\1: \.\.\.\}": r"--override '\2=...'",
    r"`sca\.tl\.convert_celltypist\([^`]*`": "`sc-annotate convert MODEL.pkl MODEL.safetensors --trust-pickle`",
    r", and pass (?:model=|--model )model here": ", and pass its file with --model",
}
"""Python in messages, and what to write in a shell."""


def spoken(text: str, options: Sequence[Option]) -> str:
    """A message of a function with the names of its arguments as options.

    Plain words, such as "method", are names only at the start of a message, or before "=" or "must".

    Examples
    --------
    >>> spoken("n_top_genes: has no meaning here", [Option("--n-top-genes", "n_top_genes", "")])
    '--n-top-genes: has no meaning here'
    >>> spoken("the method says so", [Option("--method", "method", "")])
    'the method says so'
    """
    for each in sorted(options, key=lambda each: -len(each.argument)):
        name = re.escape(each.argument)
        if "_" in each.argument or "." in each.argument:
            text = re.sub(rf"(?<![\w.'\"/-]){name}=", f"{each.flag} ", text)
            text = re.sub(rf"(?<![\w.'\"/-]){name}(?![\w/])", each.flag, text)
        else:
            text = re.sub(rf"^{name}(?=:| must|,| cannot| says| is\b)", each.flag, text)
            text = re.sub(rf"(?<![\w.'\"/-]){name}=", f"{each.flag} ", text)
            text = text.replace(f"({each.argument})", f"({each.flag})")
    for call, command in SPOKEN.items():
        text = re.sub(call, command, text)
    # What only Python has.
    return text.replace(" or a numpy.random.Generator", "")


def number_or_none(text: str) -> float | None:
    """A number, or the word none."""
    return None if text.lower() == "none" else float(text)


def number_or_batches(text: str) -> int | str:
    """A number, or the word batches."""
    from argparse import ArgumentTypeError

    try:
        return text if text == "batches" else int(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{shown(text)} is neither a whole number nor the word batches") from error


def choice(*words: str) -> dict[str, Any]:
    """What argparse needs to know of an option with few values."""
    return {"choices": words}


def value(text: str) -> dict[str, Any]:
    """How the value of an option is called in the help."""
    return {"metavar": text}

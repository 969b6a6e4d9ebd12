"""The commands on the pages exist, with their options."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from sc_annotate.cli.main import _parser

DOCS = Path(__file__).parents[2] / "docs"
COMMANDS = [
    (page.name, line)
    for page in sorted(DOCS.glob("*.md"))
    for block in re.findall(r"```(?:sh|bash)\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    for line in block.replace("\\\n", " ").splitlines()
    if line.startswith("sc-annotate ")
]


def test_there_are_some() -> None:
    assert len([line for page, line in COMMANDS if page == "cli.md"]) > 8


@pytest.mark.parametrize(("page", "line"), COMMANDS)
def test_a_command_of_a_page_can_be_read(page: str, line: str) -> None:
    args = _parser().parse_args(shlex.split(line, comments=True)[1:])
    assert callable(args.run), page


def test_every_command_is_on_its_page() -> None:
    text = (DOCS / "cli.md").read_text(encoding="utf-8")
    parser = _parser()
    commands = next(action.choices for action in parser._actions if action.choices)
    assert [name for name in commands if f"| `{name}" not in text] == []
    assert all(command.format_help() for command in commands.values())

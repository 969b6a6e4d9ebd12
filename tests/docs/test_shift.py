"""The page about cells from another batch shows what its benchmark computes: small corners of it are computed again."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sc_annotate.annotation.trust_report import ONE_BATCH

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "benchmarks_shift.md").read_text(encoding="utf-8")
SECTIONS = {"splits": "One batch left out", "genes": "Labels by themselves", "levels": "Coarser labels"}


def table(text: str, section: str) -> list[list[str]]:
    """Cells of the table under a heading, without its head."""
    found = re.search(rf"^## {section}$(.*?)(?=^## |\Z)", text, flags=re.MULTILINE | re.DOTALL)
    assert found is not None, section
    lines = [line for line in found[1].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def near(a: str, b: str, most: float) -> bool:
    """Whether all numbers of two texts agree; other words have to be equal."""
    number = r"[-+]?\d+\.?\d*"
    pairs = zip(re.findall(number, a), re.findall(number, b), strict=True)
    return re.sub(number, "", a) == re.sub(number, "", b) and all(abs(float(x) - float(y)) <= most for x, y in pairs)


def again(*arguments: str) -> str:
    run = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "trust_shift.py"), "--tables", *arguments],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.mark.slow
@pytest.mark.once
def test_labels_and_coarser_labels_are_computed_again() -> None:
    text = again("--part", "genes", "levels", "--only", "pbmc68k", "simulated")
    for part in ("genes", "levels"):
        shown = {tuple(row[:2] if part == "levels" else row[:1]): row for row in table(PAGE, SECTIONS[part])}
        rows = table(text, part)
        assert rows
        for row in rows:
            same = shown[tuple(row[:2] if part == "levels" else row[:1])]
            # Without rows of another tree there is no difference from it.
            assert all(near(a, b, 0.02) for a, b in zip(row[:3], same[:3], strict=True)), (row, same)


@pytest.mark.slow
@pytest.mark.once
def test_a_split_is_computed_again(shared_data: Path) -> None:
    text = again("--data", str(shared_data), "--part", "splits", "--only", "baron_species", "--batch", "mouse")
    (row,) = table(text, "splits")
    (same,) = [shown for shown in table(PAGE, SECTIONS["splits"]) if shown[:2] == row[:2]]
    assert all(near(a, b, 0.03) for a, b in zip(row, same, strict=True)), (row, same)


def test_every_split_stands_in_the_page_with_its_yield() -> None:
    rows = table(PAGE, SECTIONS["splits"])
    assert len(rows) >= 23
    coverage = [float(row[7].split()[0]) for row in rows]
    assert coverage == sorted(coverage), "worst first"


def test_the_report_of_a_reference_of_one_batch_has_the_figures_of_the_page() -> None:
    rows = table(PAGE, SECTIONS["splits"])

    def span(kind: str, column: int) -> str:
        found = [100 * float(row[column].split()[0]) for row in rows if row[2] == kind]
        return f"{min(found):.0f} to {max(found):.0f} %"

    assert f"covered {span('one batch', 7)} of the known cells" in ONE_BATCH
    assert f"but {span('one batch', 9)} of these were flagged" in ONE_BATCH
    assert f"across species they covered {span('across species', 7)}" in ONE_BATCH


def test_the_page_for_users_shows_the_same_summary() -> None:
    users = (ROOT / "docs" / "trust.md").read_text(encoding="utf-8")
    shown = [
        line
        for line in PAGE.splitlines()
        if line.startswith(("| reference | splits", "| across species |", "| one batch |"))
    ]
    shown += [line for line in PAGE.splitlines() if line.startswith("| two batches or more |")]
    assert len(shown) == 4
    assert set(shown) <= set(users.splitlines())

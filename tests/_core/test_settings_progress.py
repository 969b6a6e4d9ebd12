"""The bar and the logger."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from sc_annotate._core.settings import logger, settings, track


@pytest.mark.parametrize("progress", [False, True])
def test_items_pass_through_silently_while_they_are_quick(progress: bool, capfd: pytest.CaptureFixture[str]):
    with settings.override(progress=progress):
        assert list(track(iter([3, 1, 2]), what="counting", total=3)) == [3, 1, 2]
        assert list(track([], what="nothing")) == []
        assert list(track("ab", what="sized")) == ["a", "b"]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("progress", [False, True])
def test_items_are_asked_for_one_by_one(progress: bool):
    asked = []
    with settings.override(progress=progress):
        walk = track((asked.append(i) or i for i in range(5)), what="x")
        assert next(walk) == 0
        assert len(asked) == 1
        walk.close()


def test_a_slow_loop_shows_a_bar(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    """The clock jumps by three seconds with each item."""
    now = iter(range(0, 10_000, 3))
    monkeypatch.setattr("sc_annotate._core.settings.monotonic", lambda: float(next(now)))
    with settings.override(progress=True):
        assert len(list(track(range(4), what="naming cells", total=4))) == 4
    shown = capfd.readouterr().err
    # It starts where the loop is by then, and is wiped away at the end.
    assert "naming cells:  25%" in shown
    assert shown.endswith("\r")
    with settings.override(progress=False):
        assert len(list(track(range(4), what="naming cells", total=4))) == 4
    assert capfd.readouterr() == ("", "")


def test_the_logger_has_no_handlers_of_its_own():
    assert logger.name == "sc_annotate"
    assert logger.handlers == []
    assert logger.level == logging.NOTSET
    assert logger.propagate


def test_tqdm_is_not_imported_for_quick_loops():
    code = (
        "import sys; sys.modules['tqdm'] = None; from sc_annotate._core.settings import track;"
        "print(list(track([1], what='x')))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[1]\n"

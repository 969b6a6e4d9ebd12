"""The pictures of a result, as PNG files in a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

    from sc_annotate.cli.output import Outputs

PICTURES = (
    *("annotation", "status", "probabilities", "confusion", "reliability", "risk_coverage", "sets", "unfamiliarity"),
    *("levels", "consensus", "evidence", "markers_agree"),
)


def names() -> list[str]:
    """File names of all pictures."""
    return [f"{name}.png" for name in PICTURES]


def draw(adata: AnnData, key: str, folder: Path, outputs: Outputs) -> None:
    """Draw each picture that the result has values for, and say what the others need."""
    import matplotlib

    from sc_annotate import pl

    folder.mkdir(exist_ok=True)
    with matplotlib.rc_context():
        matplotlib.use("agg")
        import matplotlib.pyplot as plt

        missing: dict[str, list[str]] = {}
        for name in PICTURES:
            path = folder / f"{name}.png"
            try:
                getattr(pl, name)(adata, key, show=False, save=path)
            except InputError as error:
                missing.setdefault(" ".join(str(error).split()), []).append(name)
            else:
                outputs.wrote(path)
            finally:
                plt.close("all")
    for reason, lacking in missing.items():
        print(f"not drawn: {', '.join(lacking)} ({reason})")

"""Which values a masked autoencoder hides, and which it is to predict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sc_annotate.errors import GeneError, MethodError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch
    from numpy.typing import NDArray

MaskKind = Literal["random", "programmes", "programme_to_programme", "programme_to_factor"]
FEWEST_GENES = 5
"""Programmes with fewer genes among those of the encoder are left out."""


@dataclass(frozen=True)
class Masks:
    """Draws masks for minibatches.

    Parameters
    ----------
    kind
        ``"random"``: in each cell exactly a share of the genes, drawn at random, is hidden and predicted.
        ``"programmes"``: random gene programmes, the same for a whole minibatch, until a share of the genes is hidden; these
        are predicted. ``"programme_to_programme"``: all but the genes of one programme a cell are hidden, and these genes
        are predicted. ``"programme_to_factor"``: the genes of one regulon a cell are shown, and its transcription factor
        is predicted.
    share
        Of the genes, that are hidden; of the first two kinds.
    inputs, outputs
        Programmes x genes, boolean: what each programme shows, and what is to be predicted from it. None for ``"random"``.
    """

    kind: MaskKind
    share: float
    inputs: NDArray[np.bool_] | None = None
    outputs: NDArray[np.bool_] | None = None

    def draw(self, n_cells: int, n_genes: int, device: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """Which values are shown and which are to be predicted, boolean, cells x genes each."""
        import torch

        if self.kind == "random" or self.inputs is None or self.outputs is None:
            hidden = torch.zeros(n_cells, n_genes, dtype=torch.bool, device=device)
            n = max(1, round(self.share * n_genes))
            hidden.scatter_(1, torch.rand(n_cells, n_genes, device=device).topk(n, dim=1).indices, True)
            return ~hidden, hidden
        if self.kind == "programmes":
            row = torch.zeros(n_genes, dtype=torch.bool)
            for i in torch.randperm(len(self.inputs)).tolist():
                row |= torch.from_numpy(self.inputs[i])
                if int(row.sum()) >= self.share * n_genes:
                    break
            hidden = row.to(device).expand(n_cells, -1)
            return ~hidden, hidden
        chosen = torch.randint(len(self.inputs), (n_cells,)).numpy()
        shown, wanted = (torch.from_numpy(part[chosen]).to(device) for part in (self.inputs, self.outputs))
        return shown, wanted


def masks(
    kind: MaskKind, share: float, programmes: Mapping[str, Sequence[str]] | None, genes: NDArray[np.str_]
) -> Masks:
    """Masks for an encoder of these genes.

    Parameters
    ----------
    kind, share
        As of :class:`Masks`.
    programmes
        Genes by the name of their programme; for ``"programme_to_factor"``, the genes that a factor regulates by its name.
    genes
        Of the encoder, shape (p,).
    """
    if kind == "random":
        return Masks(kind, share)
    if not programmes:
        raise MethodError(f"mask={kind!r} needs programmes: genes by the name of their programme, or a GMT file.")
    place = {str(gene): i for i, gene in enumerate(genes)}
    inputs, outputs = [], []
    for name, members in programmes.items():
        own = [
            place[gene] for gene in members if gene in place and not (kind == "programme_to_factor" and gene == name)
        ]
        if len(own) < FEWEST_GENES or (kind == "programme_to_factor" and name not in place):
            continue
        shown = np.zeros(len(genes), dtype=bool)
        shown[own] = True
        wanted = shown
        if kind == "programme_to_factor":
            wanted = np.zeros(len(genes), dtype=bool)
            wanted[place[name]] = True
        inputs.append(shown)
        outputs.append(wanted)
    if not inputs:
        what = "has its factor and" if kind == "programme_to_factor" else "has"
        raise GeneError(
            f"none of the {len(programmes):,} programmes {what} {FEWEST_GENES} genes or more among the {len(genes):,} of the "
            "encoder. Are the names of one kind (symbols, Ensembl ids)? Use more genes, or other programmes."
        )
    return Masks(kind, share, np.stack(inputs), np.stack(outputs))

"""Small lists of marker genes that come with the package."""

from __future__ import annotations

from typing import Any, Final

# Type, Cell Ontology id, genes that speak for it, genes that speak against it. Canonical markers of human blood, as they
# are used in the papers that `datasets.marker_lists` cites; symbols of HGNC, with older spellings beside where data
# sets in use still have them.
_PBMC: Final = (
    (
        "naive CD4 T cell",
        "CL:0000895",
        "CD3D CD3E CD4 IL7R CCR7 LEF1 TCF7 SELL MAL TRABD2A NOSIP",
        "CD8A CD8B NKG7 GZMK S100A4",
    ),
    ("memory CD4 T cell", "CL:0000897", "CD3D CD3E CD4 IL7R LTB IL32 AQP3 S100A4 ITGB1 CD40LG KLRB1", "CD8A CD8B CCR7"),
    ("regulatory T cell", "CL:0000815", "CD3D CD3E FOXP3 IL2RA CTLA4 IKZF2 RTKN2 TIGIT", "CD8A CD8B NKG7"),
    ("naive CD8 T cell", "CL:0000900", "CD3D CD3E CD8A CD8B CCR7 LEF1 LINC02446 NELL2", "CD4 GZMK NKG7 CCL5"),
    ("memory CD8 T cell", "CL:0000909", "CD3D CD3E CD8A CD8B GZMK GZMA GZMH CCL5 CST7 NKG7 KLRG1", "CD4 NCAM1 KLRF1"),
    ("gamma-delta T cell", "CL:0000798", "CD3D CD3E TRDC TRGC1 TRGC2 TRDV2 TRGV9 KLRD1", "CD4 CD8B"),
    (
        "mucosal invariant T cell",
        "CL:0000940",
        "CD3D CD3E SLC4A10 TRAV1-2 KLRB1 NCR3 ZBTB16 RORC",
        "CD4 CCR7",
    ),
    (
        "natural killer cell",
        "CL:0000623",
        "GNLY NKG7 KLRD1 KLRF1 NCAM1 PRF1 GZMB FGFBP2 SPON2 XCL1 XCL2 FCER1G",
        "CD3D CD3E CD3G CD8B",
    ),
    ("B cell", "CL:0000236", "MS4A1 CD79A CD79B CD19 BANK1 LINC00926 TCL1A VPREB3 FCER2 IGHM IGHD CD22", "CD3D LYZ"),
    ("plasma cell", "CL:0000786", "MZB1 JCHAIN IGJ SDC1 TNFRSF17 DERL3 IGHG1 IGHA1 TXNDC5 XBP1", "MS4A1 CD3D"),
    (
        "classical monocyte",
        "CL:0000860",
        "CD14 LYZ S100A8 S100A9 S100A12 VCAN FCN1 MS4A6A CSF3R",
        "FCGR3A CDKN1C MS4A1 CD3D",
    ),
    (
        "non-classical monocyte",
        "CL:0000875",
        "FCGR3A MS4A7 CDKN1C RHOC LST1 IFITM3 CKB HES4 LILRB2 TCF7L2",
        "CD14 VCAN S100A12 NKG7",
    ),
    (
        "conventional dendritic cell",
        "CL:0000990",
        "FCER1A CLEC10A CD1C CST3 ENHO CLEC9A XCR1 HLA-DQA1 HLA-DPB1",
        "CD14 MS4A1",
    ),
    (
        "plasmacytoid dendritic cell",
        "CL:0000784",
        "LILRA4 CLEC4C IL3RA SERPINF1 ITM2C TCF4 IRF7 PTCRA SMPD3 GZMB",
        "MS4A1 CD3D LYZ",
    ),
    ("platelet", "CL:0000233", "PPBP PF4 GP9 ITGA2B GNG11 TUBB1 SDPR CAVIN2 NRGN SPARC CLU TREML1", ""),
    ("erythrocyte", "CL:0000232", "HBB HBA1 HBA2 ALAS2 AHSP CA1 SLC4A1 HBM", ""),
    ("hematopoietic stem cell", "CL:0000037", "CD34 SPINK2 SOX4 PRSS57 CYTL1 EGFL7 CRHBP AVP", "CD3D MS4A1 LYZ"),
)

LISTS: Final = {"pbmc": _PBMC}


def packaged(name: str) -> dict[str, list[Any]] | None:
    """A packaged list as columns ``type``, ``gene``, ``weight`` (1 or -1) and ``term_id``; None for an unknown name."""
    found = LISTS.get(name) if isinstance(name, str) else None
    if found is None:
        return None
    rows = [
        (type_, gene, weight, term)
        for type_, term, towards, against in found
        for weight, genes in ((1.0, towards), (-1.0, against))
        for gene in genes.split()
    ]
    columns: list[list[Any]] = [list(column) for column in zip(*rows, strict=True)]
    return dict(zip(("type", "gene", "weight", "term_id"), columns, strict=True))

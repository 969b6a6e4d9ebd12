"""Prefixes and suffixes that a program put on gene names are found; what belongs to real names is left alone."""

from __future__ import annotations

import csv
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import anndata as ad
import numpy as np
import pytest

from sc_annotate._vocabulary.gene_ids.affixes import undecorated
from sc_annotate._vocabulary.gene_names import species_of

if TYPE_CHECKING:
    from collections.abc import Callable

HUMAN = np.array(
    (
        "CD3D CD3E CD4 CD8A CD14 CD19 MS4A1 LYZ NKG7 GNLY PPBP FCGR3A CST3 IL7R CCR7 S100A4 S100A8 ACTB GAPDH MALAT1 B2M EEF1A1 TPT1 "
        "FTL FTH1 TMSB4X HLA-A HLA-B HLA-DRA HLA-DRB1 HLA-DQA1 MT-CO1 MT-ND1 MT-CYB NKX2-1 NKX2-2 NKX6-1 KRTAP5-1 KRTAP5-2 TRBV6-1 "
        "TRBV6-5 IGHV1-2 IGHV3-23 MIR1302-2HG LINC00115 C1orf127 C10orf54 RP11-34P13.7 RP11-206L10.2 RP5-857K21.1 CTD-2245F17.3 "
        "AC000001.1 AC009041.2 AL627309.1 AL627309.3 AP006222.2 FP565260.1 GATA3-AS1 ZFAS1 TMPO-AS1 SNHG1 LINC-PINT H2AC6 H1-1 "
        "TNFRSF13B IFNG GZMB PRF1 KLRD1 XCL1 XCL2 SPON2 CLIC3 JCHAIN MZB1 XBP1 IRF4 IRF8 TCF4 TCF7 LEF1 SELL FOXP3 IL2RA CTLA4 "
        "IKZF2 RORC KIT HPGDS GATA1 GATA2 KLF1 HBB HBA1 HBA2 ALAS2 CA1 AHSP PF4 GP9 ITGA2B TUBB1 SPARC CLU TREML1 CAVIN2 NRGN VWF"
    ).split()
)
MOUSE = np.array(
    (
        "Cd3d Cd3e Cd4 Cd8a Cd14 Cd19 Ms4a1 Lyz1 Lyz2 Nkg7 Gzma Ppbp Fcgr3 Cst3 Il7r Ccr7 S100a4 S100a8 Actb Gapdh Malat1 B2m Eef1a1 "
        "H2-K1 H2-D1 H2-Aa H2-Ab1 mt-Co1 mt-Nd1 mt-Cytb Nkx2-1 Nkx2-2 Krtap5-1 0610007P14Rik 1110004F10Rik 2310036O22Rik A230050P20Rik "
        "Gm10076 Gm42418 Gm12840 Gm26917 Gm1992 AC149090.1 AI846148 BC005561 Rpl13a-ps1 Rps19-ps3 Trp53 Trp53inp1 Ly6c1 Ly6c2 Ly6g "
        "Klra4 Klrb1c Ms4a4b Zfp36 Zfp182 Olfr57 Vmn2r1 RP23-81C12.3 Hba-a1 Hbb-bs Xkr4 Sox17 Mrpl15 Lypla1 Tcea1 Rgs20 Atp6v1h Rb1cc1"
    ).split()
)
DECORATIONS: list[tuple[str, str]] = [
    ("hg19_", ""),
    ("GRCh38_", ""),
    ("mm10___", ""),
    ("rna_", ""),
    ("gene:", ""),
    ("b'", "'"),
    ('"', '"'),
    (" ", ""),
    ("", " "),
    ("", "\t\n"),
    ("", "-1"),
    ("", "_TotalSeqB"),
    ("", "_total_seq"),
    ("", ".x"),
    ("GRCh38_", "-1"),
]


def _around(names: np.ndarray, prefix: str, suffix: str) -> np.ndarray:
    return np.array([f"{prefix}{name}{suffix}" for name in names.tolist()])


# ---- what is part of names


@pytest.mark.parametrize("names", [HUMAN, MOUSE, np.char.upper(MOUSE)])
def test_symbols_have_none(names: np.ndarray):
    assert undecorated(names) is None


def _letters(i: int) -> str:
    return "".join(chr(97 + i // 26**k % 26) for k in range(3))


KINDS: dict[str, Callable[[int], str]] = {
    "ids": lambda i: f"ENSG{i:011d}",
    "versions": lambda i: f"ENSG{i:011d}.1",
    "mouse ids": lambda i: f"ENSMUSG{i:011d}.{i % 9}",
    "accessions": lambda i: f"AL{i:06d}.1",
    "clones": lambda i: f"RP11-{i}P13.1",
    "numbered": lambda i: f"gene_{i}",
    "counted": lambda i: f"GENE{i}",
    "peaks": lambda i: f"chr1-{i}-{i + 500}",
    "regions": lambda i: f"chr1:{i}-{i + 500}",
    "loci": lambda i: f"LOC{i:06d}",
    "cress": lambda i: f"AT1G{i:05d}",
    "micro RNA": lambda i: f"hsa-mir-{i}",
    "fish": lambda i: f"si:dkey-{i}p5.1",
    "HLA": lambda i: f"HLA-{'ABCDEFGHIJ'[i % 10]}{i}",
    "receptors": lambda i: f"TRBV{i // 5}-{i % 5}",
    "numbers": lambda i: f"{i}",
    "arrays": lambda i: f"{i}_at",
    "joined": lambda i: f"S{i}_ENSG{i:011d}",
    "flies": lambda i: f"lncRNA:CR{i:05d}",
    "frogs": lambda i: f"{_letters(i)}{i % 9}.{'LS'[i % 3 == 0]}",
    "worms": lambda i: f"{_letters(i // 3)}-{i % 3 + 1}",
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [1, 2, 12, 300])
def test_lists_of_one_kind_have_none(kind: str, n: int):
    assert undecorated(np.array([KINDS[kind](i) for i in range(n)])) is None


@pytest.mark.parametrize("per_family", [2, 3, 9])
def test_worms_among_clones_have_none(per_family: int):
    """A third of the names of C. elegans end in -1, as the first of each family does."""
    rng = np.random.default_rng(0)
    names = [f"{_letters(i)}-{k}" for i in range(3000) for k in range(1, rng.geometric(1 / per_family) + 1)]
    clones = [f"{'CFKRTYZ'[i % 7]}{i % 90}{'ABCDEFGH'[i % 8]}{i % 11}.{i % 20}" for i in range(2000)]
    assert undecorated(rng.permutation(names + clones)) is None
    found = undecorated(_around(rng.permutation(names), "WS280_", ""))
    assert found is not None
    assert sorted(found.names.tolist()) == sorted(names)


def test_duplicates_that_were_made_unique_are_no_suffix():
    """Of XX and XX-1, the second is another gene of the same symbol."""
    names = np.concatenate([HUMAN, _around(HUMAN, "", "-1")])
    assert undecorated(names) is None
    twice = np.append(_around(HUMAN, "hg19_", ""), HUMAN[:30])
    found = undecorated(twice)
    assert found is not None
    assert found.n_kept == 30
    np.testing.assert_array_equal(found.names[30 : len(HUMAN)], HUMAN[30:])
    np.testing.assert_array_equal(found.names[:30], twice[:30])
    assert len(set(found.names.tolist())) == len(twice)


def _oracle_lists() -> list[Path]:
    spec = find_spec("celltypist")
    folder = None if spec is None or spec.origin is None else Path(spec.origin).parent / "data" / "samples"
    return [] if folder is None else sorted(folder.glob("*_Genes.csv")) + sorted(folder.glob("*id2name.csv"))


@pytest.mark.slow
@pytest.mark.parametrize("path", _oracle_lists(), ids=lambda path: path.stem)
def test_real_tables_have_none(path: Path):
    """GENCODE's ids and names, and orthologs of five species, as CellTypist ships them: whole, in part, and by blocks."""
    with path.open() as file:
        rows = list(csv.reader(file))
    rng = np.random.default_rng(0)
    for column in (0, 1):
        names = np.array(list(dict.fromkeys(row[column] for row in rows if row[column])))
        assert undecorated(names) is None
        for n in (200, 1000, 3000):
            start = int(rng.integers(0, len(names) - n))
            assert undecorated(names[start : start + n]) is None or "mir-" in names[start + n // 2]
            assert undecorated(rng.choice(names, n, replace=False)) is None


@pytest.mark.slow
def test_real_objects_have_none(shared_data: Path):
    seen = 0
    for path in sorted(shared_data.glob("*.h5ad")):
        backed = ad.read_h5ad(path, backed="r")
        names = np.asarray(backed.var_names, dtype=str)
        backed.file.close()
        assert undecorated(names) is None, path.name
        assert species_of(names) == ("mouse" if "mouse" in path.name else "human"), path.name
        seen += 1
    assert seen > 10


# ---- what is not


@pytest.mark.parametrize(("prefix", "suffix"), DECORATIONS)
@pytest.mark.parametrize("every", [1, 2, 5])
@pytest.mark.parametrize(
    "names", [HUMAN, MOUSE, np.array([f"ENSG{i:011d}" for i in range(100)])], ids=["h", "m", "ids"]
)
def test_removed(names: np.ndarray, every: int, prefix: str, suffix: str):
    """On all names, on half of them, on a fifth."""
    decorated = np.arange(len(names)) % every == 0
    found = undecorated(np.where(decorated, _around(names, prefix, suffix), names))
    assert found is not None
    # A name of a family that counts its genes may be either, where only some names have the number.
    assert found.n + found.n_kept >= (0.9 if suffix == "-1" and every > 1 else 0.97) * decorated.sum()
    right = (found.names == names) | (found.names == _around(names, prefix, suffix))
    assert right.all()
    assert (found.of[~decorated] < 0).all()
    assert f"{prefix!r}" in str(found) or not prefix
    assert f"{suffix!r}" in str(found) or not suffix


def test_versions_are_no_suffix_but_a_number_behind_symbols_is():
    ids = np.array([f"ENSG{i:011d}.1" for i in range(100)])
    assert undecorated(ids) is None
    found = undecorated(_around(HUMAN, "", ".1"))
    assert found is not None
    # Clones keep the number of their own.
    assert {"AC000001.1", "RP11-34P13.7", "AL627309.1"} <= set(found.names.tolist())


def test_a_prefix_without_a_separator():
    found = undecorated(_around(HUMAN, "GRCh38", ""))
    assert found is not None
    assert (found.names == HUMAN).mean() > 0.97


def test_one_blank_is_found_among_thousands():
    names = np.array([f"S{i}A" for i in range(5000)])
    names[77] = "S77A "
    found = undecorated(names)
    assert found is not None
    assert (found.n, found.names[77], str(found)) == (1, "S77A", "suffix ' '")


def test_known_names_stay():
    names = np.concatenate([_around(HUMAN, "", "-1"), ["ERVK13-1", "IFN-1"]])
    found = undecorated(names, frozenset(["ERVK13-1", "IFN-1"]))
    assert found is not None
    assert found.names[-2:].tolist() == ["ERVK13-1", "IFN-1"]


def test_not_every_nth_name_is_looked_at():
    """Of a long list a sample is looked at, which has to have some of every second name."""
    names = np.array([f"GENE{chr(65 + i % 26)}{i}" for i in range(40_000)])
    names[1::2] = _around(names[1::2], "rna_", "")
    found = undecorated(names)
    assert found is not None
    assert found.n == 20_000


# ---- genomes


def test_two_genomes():
    names = np.concatenate([_around(HUMAN, "hg19_", ""), _around(MOUSE, "mm10_", ""), ["hg19_C3", "mm10_C3"]])
    found = undecorated(names)
    assert found is not None
    assert found.species == {"human": len(HUMAN), "mouse": len(MOUSE)}
    assert found.names[-2:].tolist() == ["hg19_C3", "mm10_C3"], "two genes would have one name"
    human = found.of_species("human", names)
    np.testing.assert_array_equal(human.names[: len(HUMAN)], HUMAN)
    np.testing.assert_array_equal(human.names[len(HUMAN) : -2], names[len(HUMAN) : -2])
    assert human.names[-2:].tolist() == ["C3", "mm10_C3"]
    assert str(human) == "prefix 'hg19_'"
    assert found.of_species("unknown", names) is found


def test_the_species_of_names_without_a_prefix_counts():
    found = undecorated(np.concatenate([HUMAN, _around(MOUSE, "mm10___", "")]))
    assert found is not None
    assert found.species == {"human": len(HUMAN), "mouse": len(MOUSE)}
    one = undecorated(_around(MOUSE, "GRCm39_", ""))
    assert one is not None
    assert one.species == {"mouse": len(MOUSE)}


def test_degenerate_lists():
    assert undecorated(np.array([], dtype=str)) is None
    assert undecorated(np.array(["", "", "A"])) is None
    found = undecorated(np.array([" ", "A "]))
    assert found is not None
    assert found.names.tolist() == [" ", "A"]

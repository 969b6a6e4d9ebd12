"""Prefixes and suffixes that programs add to gene names: ``hg19_CD4``, ``CD4-1``, ``b'CD4'``, a blank at the end."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from os.path import commonprefix
from typing import TYPE_CHECKING

import numpy as np

from sc_annotate._vocabulary.gene_names import is_ensembl, species_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

SHARE = 0.1
"""An affix of fewer names is part of them: a tenth of a list of genes may be clones of one library, or antisense genes."""
FEWEST = 10
ALL = 0.95
_SAMPLE = 2000
_ROUNDS = 4

_WRAPPED = re.compile(r"""(\s*)(?:(b?(?P<quote>['"]))(?P<inside>.+)(?P=quote)|(?P<bare>\S|\S.*\S))(\s*)""", re.DOTALL)
_MAY_BE_WRAPPED = re.compile(r"""^(\s|b?['"])|\s$""", re.MULTILINE)
_BEFORE = re.compile(r"[^\W_]*(?:[^\w]|_)+")
_AFTER = re.compile(r"(?:[^\w]|_)+[^\W_]*$")
_NUMBER = re.compile(r"[\W_]+\d+")
# Without its affix a name must itself look like a symbol or an id.
_GENE = re.compile(r"[A-Za-z][\w.:@/-]*[\w)*@]|\d{7}[A-Z]\d\dRik[\w.-]*", re.IGNORECASE)
# What families of genes begin or end with in every release; these are parts of their names.
_OF_FAMILIES = re.compile(
    r"(HLA|H-?2|MT|RT1|ERCC|SI|ZGC|IM|WU|LOC|(LNC|AS|SNO|SN|SCA|R|T)RNA|RNU\d+|KRTAP\d+|NKX\d)[-_.:]+", re.IGNORECASE
)
# The two genomes of the clawed frog, .L and .S, among them.
_OF_KINDS = re.compile(r"[-.](AS|IT|OT|DT|PS|RS|AR|HG|MIR|TS|LIKE)\d*|\.[LS]", re.IGNORECASE)
# Clones that became names: AL627309.1, RP11-34P13.7, CTD-2245F17.3; a version of an Ensembl id is no affix either.
_CLONE = re.compile(r"[A-Z]{1,4}\d{5,8}\.\d+|[\w.:]+[-.][A-Z]*\d+[A-Z]+\d+\.\d+", re.IGNORECASE)
# Families that count their genes: NKX2-1, KRTAP5-1, TRBV6-1, MIR1302-1, TRN-GTT2-1.
_COUNTED = re.compile(
    r"((NKX|KRTAP|MIR|H(?=\d)|LINC|VTRNA|TR[ABDG][VDJC]|RNU|RNVU|SNOR[AD]|ERV)[A-Z]*\d*[A-Z]*|IG[HKL][VDJC]\w*(-\d+)?|"
    r"(NM)?TR[A-Z]+-[ACGTN]{3}\d+)[-.]\d+",
    re.IGNORECASE,
)
_MICRO_RNA = re.compile(r"[a-z]{3}-(mir|let)-", re.IGNORECASE)
_GENOMES = (
    ("human", re.compile(r"(hg\d\d|GRCh\d\d|b37|T2T|human|hsapiens|homo_sapiens|hs)", re.IGNORECASE)),
    ("mouse", re.compile(r"(mm\d\d?|GRCm\d\d|mouse|mmusculus|mus_musculus)", re.IGNORECASE)),
    ("rat", re.compile(r"(rn\d|Rnor|mRatBN|rat)", re.IGNORECASE)),
)


@dataclass(frozen=True)
class Affix:
    """The prefix and suffix of `n` names; `species` is that of the genes, by the affix or by their names."""

    prefix: str
    suffix: str
    n: int
    species: str

    def __str__(self) -> str:
        parts = (("prefix", self.prefix), ("suffix", self.suffix))
        return " and ".join(f"{kind} {text!r}" for kind, text in parts if text)


@dataclass(frozen=True)
class Undecorated:
    """Names without their affixes.

    ``of`` is the affix of each name, -1 where it has none, or keeps it since two genes would get one name
    (``n_kept`` of them).
    """

    names: NDArray[np.str_]
    affixes: tuple[Affix, ...]
    of: NDArray[np.intp]
    n_kept: int
    plain: str
    """Species of the names that have none."""

    @property
    def n(self) -> int:
        """How many names lose an affix."""
        return int((self.of >= 0).sum())

    @property
    def species(self) -> dict[str, int]:
        """How many names are of each species that is known, most first."""
        counts = Counter({self.plain: len(self.of) - self.n})
        for affix in self.affixes:
            counts[affix.species] += affix.n
        least = SHARE * len(self.of)
        return {species: n for species, n in counts.most_common() if n >= least and species != "unknown"}

    def of_species(self, species: str, old: NDArray[np.str_]) -> Undecorated:
        """With the affixes of the genes of other species left where they are, in the `old` names.

        Of two genes of one name, ``hg19_C3`` and ``mm10_C3``, the one of the species then gets it.
        """
        if len(self.species) < 2 or species not in self.species:
            return self
        kept = [affix for affix in self.affixes if affix.species in (species, "unknown")]
        place = np.array([kept.index(a) if a in kept else -1 for a in self.affixes], dtype=np.intp)
        of = np.where(self.of < 0, -1, place[self.of])
        names = np.where(of < 0, old, self.names).astype(object)
        have = set(names.tolist())
        for i, affix in enumerate(kept):
            takes = _Takes(affix.prefix, affix.suffix)
            for j in np.flatnonzero(of < 0).tolist():
                if takes(name := str(old[j])) and (core := takes.core(name)) not in have:
                    names[j], of[j] = core, i
                    have.add(core)
        return Undecorated(names.astype(str), tuple(kept), of, self.n_kept, self.plain)

    def __str__(self) -> str:
        return ", ".join(str(affix) for affix in self.affixes[:3]) + (", ..." if len(self.affixes) > 3 else "")


def undecorated(names: NDArray[np.str_], known: frozenset[str] = frozenset()) -> Undecorated | None:
    """Names without what a program has put before or after them; None where no such thing is found.

    Blanks and quotes around a name are never part of it. Any other text is an affix where at least a tenth of the names
    have it, what they are without it is like a gene, and no family of genes is known by it. A name that would then be
    that of another gene stays as it is: of XX and XX-1, the second is a duplicate that was made unique. So does a name
    that is `known`, as it is one of those that it is compared with.
    """
    every = names.tolist()
    chosen = np.random.default_rng(0).permutation(len(every))[:_SAMPLE].tolist()
    # Most lists have none, so this comes first.
    wrapped = _MAY_BE_WRAPPED.search("\n".join(every)) is not None
    if not wrapped and _most_frequent([every[i] for i in chosen]) is None:
        return None
    bounds = [_unwrapped(name) if wrapped else (0, len(name)) for name in every]
    for _ in range(_ROUNDS):
        cores = [every[i][bounds[i][0] : bounds[i][1]] for i in chosen]
        found = _most_frequent(cores)
        if found is None:
            break
        prefix, suffix, takes = found
        bounds = [
            (a + len(prefix), b - len(suffix)) if takes(name[a:b]) and name[a:b] not in known else (a, b)
            for name, (a, b) in zip(every, bounds, strict=True)
        ]
    cores = [name[a:b] for name, (a, b) in zip(every, bounds, strict=True)]
    if cores == every:
        return None
    times = Counter(cores)
    taken = [core != name and times[core] > 1 for name, core in zip(every, cores, strict=True)]
    around = [
        None if name == core or twice else (name[:a], name[b:])
        for name, core, twice, (a, b) in zip(every, cores, taken, bounds, strict=True)
    ]
    counts = Counter(each for each in around if each is not None)
    kept = {each for each, n in counts.items() if _is_certain(*each) or n >= min(FEWEST, len(every) / 2)}
    around = [each if each in kept else None for each in around]
    if not kept:
        return None
    order = [each for each, _ in counts.most_common() if each in kept]
    place = {each: i for i, each in enumerate(order)}
    of = np.array([-1 if each is None else place[each] for each in around], dtype=np.intp)
    new = np.array([core if each else name for name, core, each in zip(every, cores, around, strict=True)], dtype=str)
    affixes = [
        Affix(prefix, suffix, counts[prefix, suffix], _species(prefix, suffix, new[of == i]))
        for i, (prefix, suffix) in enumerate(order)
    ]
    return Undecorated(new, tuple(affixes), of, sum(taken), species_of(new[of < 0]))


def _unwrapped(name: str) -> tuple[int, int]:
    """Where a name begins and ends within blanks and quotes."""
    found = _WRAPPED.fullmatch(name)
    return (0, len(name)) if found is None else found.span("inside" if found["quote"] else "bare")


def _is_certain(prefix: str, suffix: str) -> bool:
    """Only blanks and quotes, which no name has."""
    return not (prefix.strip().strip("b'\"") or suffix.strip().strip("'\""))


@dataclass(frozen=True)
class _Takes:
    """Whether a name has the affix, and is a gene without it; of `all` names, also one of a family that counts its genes."""

    prefix: str
    suffix: str
    all: bool = True

    def __call__(self, name: str) -> bool:
        prefix, suffix = self.prefix, self.suffix
        if len(name) <= len(prefix) + len(suffix) or not (name.startswith(prefix) and name.endswith(suffix)):
            return False
        if suffix and (_CLONE.fullmatch(name) or is_ensembl(name) or (not self.all and _COUNTED.fullmatch(name))):
            return False
        if prefix and _MICRO_RNA.match(name):
            return False
        return _GENE.fullmatch(self.core(name)) is not None

    def core(self, name: str) -> str:
        return name[len(self.prefix) : len(name) - len(self.suffix)]


def _most_frequent(names: list[str]) -> tuple[str, str, _Takes] | None:
    """The affix that most of some names have, as what stands before and after; None where it is no affix."""
    before = Counter(found[0] for name in names if (found := _BEFORE.match(name)))
    # Numbers of clones and versions of ids are parts of names.
    plain = [name for name in names if not (_CLONE.fullmatch(name) or is_ensembl(name))]
    after = Counter(found[0] for name in plain if (found := _AFTER.search(name)) and found.start())
    candidates = [(n, text, "") for text, n in before.most_common(3)] + [
        (n, "", text) for text, n in after.most_common(3)
    ]
    for n, prefix, suffix in sorted(candidates, reverse=True):
        if n < _least(len(names)):
            break
        if takes := _is_affix(names if prefix else plain, len(names), prefix, suffix, after):
            return prefix, suffix, takes
    return _joined(names)


def _least(n: int) -> float:
    return max(min(FEWEST, n), 3, SHARE * n)


def _is_affix(names: list[str], n: int, prefix: str, suffix: str, after: Counter[str]) -> _Takes | None:
    """What removes it, where names that have it are genes without it, and it is no part of the names of a family."""
    if _OF_FAMILIES.fullmatch(prefix) or _OF_KINDS.fullmatch(suffix):
        return None
    have = [name for name in names if name.startswith(prefix) and name.endswith(suffix)]
    takes = _Takes(prefix, suffix, all=len(have) >= ALL * len(names))
    cores = [takes.core(name) for name in have if takes(name)]
    if len(cores) < max(_least(n), 0.9 * len(have) * takes.all):
        return None
    if not _NUMBER.fullmatch(suffix):
        return takes
    # Families count on (NKX2-1, NKX2-2), and end in a digit before it; half of all genes end in a letter.
    separator = suffix.rstrip("0123456789")
    numbered = sum(times for text, times in after.items() if _NUMBER.fullmatch(text) and text.startswith(separator))
    symbols = [core for core in cores if not (_CLONE.fullmatch(core) or is_ensembl(core))]
    letters = sum(core[-1].isalpha() for core in symbols)
    # Genes of worms are all named so, unc-1, unc-2: there no number stands out.
    if letters > 0.25 * len(symbols):
        return takes if len(cores) >= 0.6 * numbered else None
    return takes if len(cores) >= 0.8 * numbered else None


def _joined(names: list[str]) -> tuple[str, str, _Takes] | None:
    """A text of three characters or more that all names begin or end with, whatever follows or precedes it."""
    if len(names) < 2 * FEWEST:
        return None
    prefix, suffix = commonprefix(names), commonprefix([name[::-1] for name in names])[::-1]
    if len(prefix) >= 3 and not _OF_FAMILIES.match(prefix):
        cores = [name[len(prefix) :] for name in names]
        if len({core[:1].upper() for core in cores if _GENE.fullmatch(core)}) >= FEWEST:
            return prefix, "", _Takes(prefix, "")
    if len(suffix) >= 3:
        cores = [name[: -len(suffix)] for name in names]
        if len({core[-1:].upper() for core in cores if _GENE.fullmatch(core)}) >= FEWEST:
            return "", suffix, _Takes("", suffix)
    return None


def _species(prefix: str, suffix: str, names: NDArray[np.str_]) -> str:
    """Of the genes with an affix: as a genome's name in it says, else as their names do."""
    for text in re.split(r"[\W_]+", f"{prefix} {suffix}"):
        for species, genome in _GENOMES:
            if genome.fullmatch(text):
                return species
    return species_of(names)


def shares(affixes: Iterable[Affix], n: int) -> str:
    """Affixes with how many of `n` names have each, for messages."""
    return ", ".join(f"{affix} on {affix.n:,} names ({affix.n / n:.0%})" for affix in affixes)

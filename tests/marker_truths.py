"""What the clusters and types of data sets with labels are, as ids of the Cell Ontology.

By biology, fixed before any result was looked at: `ACCEPTED`, the type itself, under another name or a finer one; `PARENTS`,
right but coarser.
"""

from __future__ import annotations

T = {"CL:0000084", "CL:0000789"}
CD4 = {"CL:0000624"}
_MONOCYTE = {"CL:0000576", "CL:0000113", "CL:0000763"}
_NAIVE_CD4 = {"CL:0000895"}
_MEMORY_CD4 = {"CL:0000897", "CL:0000904", "CL:0000905", "CL:0001087"}
_HELPERS = {"CL:0000492", "CL:0000545", "CL:0000546", "CL:0000899", "CL:0000896", "CL:0001043", "CL:0001044"}
_CD14 = {"CL:0000860", "CL:0001054", "CL:0002057"}
_CD16 = {"CL:0000875", "CL:0002396"}
_B = {"CL:0000236", "CL:0000785", "CL:0000787", "CL:0000788"}
_CD8 = {
    "CL:0000625", "CL:0000794", "CL:0000906", "CL:0000907", "CL:0000909", "CL:0000913", "CL:0001050", "CL:0001062",
}  # fmt: skip
_NK = {"CL:0000623", "CL:0000824", "CL:0000938", "CL:0000939"}
_DENDRITIC = {"CL:0000451", "CL:0000782", "CL:0000990", "CL:0001056", "CL:0002394", "CL:0002399"}

ACCEPTED = {
    "pbmc3k": {
        "Naive CD4 T": _NAIVE_CD4,
        "Memory CD4 T": _MEMORY_CD4,
        "CD14+ Mono": _CD14,
        "B": _B,
        "CD8 T": _CD8,
        "FCGR3A+ Mono": _CD16,
        "NK": _NK,
        "DC": _DENDRITIC,
        "Platelet": {"CL:0000233"},
    },
    "pbmc68k": {
        "Dendritic": _DENDRITIC,
        "CD14+ Monocyte": _CD14,
        "CD19+ B": _B,
        "CD4+/CD25 T Reg": {"CL:0000815", "CL:0000792", "CL:0000903", "CL:0002677", "CL:0002678"},
        "CD8+ Cytotoxic T": _CD8,
        "CD8+/CD45RA+ Naive Cytotoxic": {"CL:0000900"},
        "CD56+ NK": _NK,
        "CD4+/CD45RO+ Memory": _MEMORY_CD4,
        "CD34+": {"CL:0000037", "CL:0000837", "CL:0008001"},
        "CD4+/CD45RA+/CD25- Naive T": _NAIVE_CD4,
    },
    "kang2018": {
        "CD14+ Monocytes": _CD14,
        "CD4 T cells": CD4 | _NAIVE_CD4 | _MEMORY_CD4 | _HELPERS,
        "B cells": _B,
        "FCGR3A+ Monocytes": _CD16,
        "CD8 T cells": _CD8 | {"CL:0000900"},
    },
    "kang_14k": {
        "CD14 Mono": _CD14,
        "CD4 Naive T": _NAIVE_CD4,
        "CD4 Memory T": _MEMORY_CD4,
        "CD16 Mono": _CD16,
        "B": _B,
        "CD8 T": _CD8 | {"CL:0000900"},
    },
    "pbmc_3tech": {
        "T_CD4": CD4 | _NAIVE_CD4 | _MEMORY_CD4 | _HELPERS,
        "Mono_CD14": _CD14,
        "T_CD8": _CD8 | {"CL:0000900"},
        "B": _B,
        "Mono_CD16": _CD16,
        "NK": _NK,
        "DC": _DENDRITIC,
        "MK": {"CL:0000556", "CL:0000233"},
        "HSC": {"CL:0000037", "CL:0000837", "CL:0008001"},
    },
    # By the antibodies: CD19; CD3 and CD4 with CD45RA or CD45RO; CD3 and CD8.
    "malt10k": {
        "B": _B,
        "CD4 T naive": _NAIVE_CD4,
        "CD4 T memory": _MEMORY_CD4 | {"CL:0002038"},
        "CD8 T": _CD8 | {"CL:0000900"},
    },
    "baron": {
        "alpha": {"CL:0000171"},
        "beta": {"CL:0000169"},
        "delta": {"CL:0000173"},
        "activated_stellate": {"CL:0002410"},
        "macrophage": {"CL:0000235"},
    },
    "xin": {
        "alpha": {"CL:0000171"},
        "beta": {"CL:0000169"},
        "delta": {"CL:0000173"},
        "gamma": {"CL:0000696", "CL:0002275"},
    },
    "wang": {
        "alpha": {"CL:0000171"},
        "beta": {"CL:0000169"},
        "delta": {"CL:0000173"},
        "gamma": {"CL:0000696", "CL:0002275"},
        "ductal": {"CL:0002079"},
        "acinar": {"CL:0002064"},
        "stellate": {"CL:0002410"},
    },
}
_ENDOCRINE = {"CL:0008024", "CL:0000163", "CL:0000164"}
PARENTS = {
    "pbmc3k": {
        "Naive CD4 T": T | CD4 | {"CL:0000898", "CL:0000492", "CL:0000912"},
        "Memory CD4 T": T | CD4 | {"CL:0000813", "CL:0000492", "CL:0000912"},
        "CD14+ Mono": _MONOCYTE,
        "B": {"CL:0000542"},
        "CD8 T": T | {"CL:0000813", "CL:0000910", "CL:0000911"},
        "FCGR3A+ Mono": _MONOCYTE,
        "NK": {"CL:0001065", "CL:0000542"},
        "DC": {"CL:0000113", "CL:0000763"},
        "Platelet": {"CL:0000763"},
    },
    "pbmc68k": {
        "Dendritic": {"CL:0000113", "CL:0000763"},
        "CD14+ Monocyte": _MONOCYTE,
        "CD19+ B": {"CL:0000542"},
        "CD4+/CD25 T Reg": T | CD4,
        "CD8+ Cytotoxic T": T | {"CL:0000813", "CL:0000910", "CL:0000911"},
        "CD8+/CD45RA+ Naive Cytotoxic": T | {"CL:0000625", "CL:0000898"},
        "CD56+ NK": {"CL:0001065", "CL:0000542"},
        "CD4+/CD45RO+ Memory": T | CD4 | {"CL:0000813", "CL:0000492", "CL:0000912"},
        "CD34+": {"CL:0000988", "CL:0000034", "CL:0011026"},
        "CD4+/CD45RA+/CD25- Naive T": T | CD4 | {"CL:0000898", "CL:0000492", "CL:0000912"},
    },
    "kang2018": {
        "CD14+ Monocytes": _MONOCYTE,
        "CD4 T cells": T | {"CL:0000813", "CL:0000898", "CL:0000912"},
        "B cells": {"CL:0000542"},
        "FCGR3A+ Monocytes": _MONOCYTE,
        "CD8 T cells": T | {"CL:0000813", "CL:0000910", "CL:0000911", "CL:0000898"},
    },
    "kang_14k": {
        "CD14 Mono": _MONOCYTE,
        "CD4 Naive T": T | CD4 | {"CL:0000898", "CL:0000492", "CL:0000912"},
        "CD4 Memory T": T | CD4 | {"CL:0000813", "CL:0000492", "CL:0000912"},
        "CD16 Mono": _MONOCYTE,
        "B": {"CL:0000542"},
        "CD8 T": T | {"CL:0000813", "CL:0000910", "CL:0000911", "CL:0000898"},
    },
    "pbmc_3tech": {
        "T_CD4": T | {"CL:0000813", "CL:0000898", "CL:0000912"},
        "Mono_CD14": _MONOCYTE,
        "T_CD8": T | {"CL:0000813", "CL:0000910", "CL:0000911", "CL:0000898"},
        "B": {"CL:0000542"},
        "Mono_CD16": _MONOCYTE,
        "NK": {"CL:0001065", "CL:0000542"},
        "DC": {"CL:0000113", "CL:0000763"},
        "MK": {"CL:0000763"},
        "HSC": {"CL:0000988", "CL:0000034", "CL:0011026"},
    },
    "malt10k": {
        "B": {"CL:0000542"},
        "CD4 T naive": T | CD4 | {"CL:0000898", "CL:0000492", "CL:0000912"},
        "CD4 T memory": T | CD4 | {"CL:0000813", "CL:0000492", "CL:0000912"},
        "CD8 T": T | {"CL:0000813", "CL:0000910", "CL:0000911", "CL:0000898"},
    },
    "baron": {
        "alpha": _ENDOCRINE,
        "beta": _ENDOCRINE,
        "delta": _ENDOCRINE | {"CL:0000502"},
        "activated_stellate": {"CL:0008019", "CL:0000499", "CL:0002320"},
        "macrophage": {"CL:0000113", "CL:0000763", "CL:0000766", "CL:0000738", "CL:0000842"},
    },
    "xin": {
        "alpha": _ENDOCRINE,
        "beta": _ENDOCRINE,
        "delta": _ENDOCRINE | {"CL:0000502"},
        "gamma": _ENDOCRINE,
    },
    "wang": {
        "alpha": _ENDOCRINE,
        "beta": _ENDOCRINE,
        "delta": _ENDOCRINE | {"CL:0000502"},
        "gamma": _ENDOCRINE,
        "ductal": {"CL:0000068", "CL:0000066"},
        "acinar": {"CL:0000622", "CL:1001433"},
        "stellate": {"CL:0008019", "CL:0000499", "CL:0002320"},
    },
}


def judged(terms: dict[str, str], data: str) -> tuple[set[str], set[str]]:
    """The groups that got their own type, and those that got a parent of it, by the term of each group."""
    own = {group for group, term in terms.items() if term in ACCEPTED[data][group]}
    return own, {group for group, term in terms.items() if term in PARENTS[data][group]}

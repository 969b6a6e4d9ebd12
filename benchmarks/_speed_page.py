"""Tables and the page of speed.py."""

from __future__ import annotations

from typing import Any

BARE = "log1p: labels, confidence, sets"
FULL = "log1p: and unfamiliarity (default)"
COUNTS = "counts: labels, confidence, sets"


def markdown(header: str, rows: list[list[Any]]) -> str:
    columns = header.split(" | ")
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def short(seconds: float) -> str:
    return f"{seconds:.2f}" if seconds < 10 else f"{seconds:.0f}"


def memory(row: dict[str, Any]) -> str:
    return f"{row['extra_mb']:.0f} MB ({row['extra_share']:.0%})"


def tables(results: dict[str, Any]) -> dict[str, str]:
    """Every table that the results at hand allow."""
    makers = {
        "annotate": annotate,
        "types": types,
        "fit": fit,
        "fit50": fit,
        "backed": backed,
        "same": same,
    }
    out = {name: makers[name](found) for name, found in results.items()}
    return ({"wanted": wanted(results)} if results else {}) | out


def annotate(found: dict[str, Any]) -> str:
    rows = found["rows"]
    floor, theirs = rows["X @ W"]["seconds"], rows["CellTypist annotate"]["seconds"]
    lines = [
        [
            name,
            short(r["seconds"]),
            f"{r['rate']:,.0f}",
            f"{r['seconds'] / floor:.1f}",
            f"{theirs / r['seconds']:.1f}",
            memory(r),
        ]
        for name, r in rows.items()
    ]
    return markdown(
        "what | seconds | cells a second | times the baseline | times as fast as CellTypist | extra memory (share of X)",
        lines,
    )


def types(found: dict[str, Any]) -> str:
    rows = found["rows"]
    floor = rows["X @ W"]["seconds"]
    lines = [
        [name, short(r["seconds"]), f"{r['rate']:,.0f}", f"{r['seconds'] / floor:.2f}", memory(r)]
        for name, r in rows.items()
    ]
    return markdown("what | seconds | cells a second | times the baseline | extra memory (share of X)", lines)


def fit(found: dict[str, Any]) -> str:
    rows = found["rows"]
    theirs = rows["CellTypist"]["seconds"]
    lines = [
        [name, short(r["seconds"]), f"{theirs / r['seconds']:.1f}", f"{r['macro_f1']:.3f}"] for name, r in rows.items()
    ]
    return markdown("model | seconds | times as fast as CellTypist | macro-F1 on new cells", lines)


def best(found: dict[str, Any], n: str, what: str) -> tuple[float, float]:
    """Fewest seconds and most memory of a job on one file; NaN where it failed."""
    runs = found["sizes"][n]["jobs"].get(what, [])
    good = [r for r in runs if "seconds" in r]
    if not good or len(good) < len(runs):
        return float("nan"), float("nan")
    return min(r["seconds"] for r in good), max(r["peak_mb"] for r in good)


def backed(found: dict[str, Any]) -> str:
    lines = []
    for n, own in found["sizes"].items():
        reading = best(found, n, "read")[0]
        for what, words in (
            ("read", "read"),
            ("labels", "labels, confidence, sets"),
            ("annotate", "annotate (default)"),
            ("fit", "fit (default)"),
        ):
            seconds, peak = best(found, n, what)
            lines.append(
                [
                    f"{int(n):,}",
                    f"{own['file_mb']:,.0f} MB",
                    words,
                    short(seconds),
                    f"{int(n) / seconds:,.0f}" if seconds == seconds else "failed",
                    f"{1e6 * seconds / int(n):.1f}",
                    f"{reading / seconds:.2f}",
                    f"{peak:,.0f} MB",
                ]
            )
    return markdown(
        "cells | file | what | seconds | cells a second | microseconds a cell | rate, of reading | peak memory", lines
    )


def same(found: dict[str, Any]) -> str:
    lines = [
        [name, "failed: " + r["error"], "", "", ""]
        if "error" in r
        else [name, f"{r['labels']:.2%}", f"{r['status']:.2%}", f"{r['proba']:.1e}", f"{r['unfamiliarity']:.1e}"]
        for name, r in found["rows"].items()
    ]
    return markdown(
        "where the cells are | same labels | same status | largest difference of a probability | of the unfamiliarity",
        lines,
    )


def wanted(results: dict[str, Any]) -> str:
    """Targets and results."""
    lines: list[list[str]] = []

    def add(what: str, aim: str, value: float, met: bool, form: str = "{:.1f} x") -> None:
        lines.append([what, aim, form.format(value), "yes" if met else "**no**"])

    if "annotate" in results:
        rows = results["annotate"]["rows"]
        t = {name: r["seconds"] for name, r in rows.items()}
        r = t[BARE] / t["X @ W"]
        add("labels, confidence, sets of log1p values, relative to the baseline", "at most 2 x", r, r <= 2, "{:.2f} x")
        r = t[COUNTS] / t["X @ W"]
        add("the same of counts", "at most 5 x", r, r <= 5, "{:.2f} x")
        for name, words in ((FULL, "log1p"), ("counts: and both (default)", "counts, with quality")):
            r = t["CellTypist annotate"] / t[name]
            add(f"with unfamiliarity, {words}: faster than CellTypist", "at least 10 x", r, r >= 10)
        ours = {name: row["extra_share"] for name, row in rows.items() if name.startswith(("log1p", "counts"))}
        add(
            "extra memory, labels, confidence, sets of log1p", "below 30 % of X", ours[BARE], ours[BARE] < 0.3, "{:.0%}"
        )
        most = max(ours.values())
        add("extra memory, the most of any call", "below 30 % of X", most, most < 0.3, "{:.0%}")
    if "types" in results:
        rows = results["types"]["rows"]
        r = rows[BARE]["seconds"] / rows["X @ W"]["seconds"]
        add("200 types, relative to the baseline", "at most 1.5 x", r, r <= 1.5, "{:.2f} x")
    for stage in ("fit", "fit50"):
        if stage in results:
            rows, k = results[stage]["rows"], results[stage]["types"]
            theirs = rows["CellTypist"]
            for kind, least in (("bare", 10), ("default", 5)):
                for method in ("logreg", "lda"):
                    own = rows[f"{method}, {kind}"]
                    r = theirs["seconds"] / own["seconds"]
                    add(
                        f"fit {k} types, {method}, {kind}: faster than CellTypist", f"at least {least} x", r, r >= least
                    )
            for method in ("logreg", "lda"):
                gap = rows[f"{method}, default"]["macro_f1"] - theirs["macro_f1"]
                add(f"macro-F1, {k} types, {method} minus CellTypist", "not below 0", gap, gap >= 0, "{:+.3f}")
    if "backed" in results:
        found = results["backed"]
        sizes = list(found["sizes"])
        last, flat = sizes[-1], sizes[1:]
        for what in ("read", "fit", "annotate"):
            peak = best(found, last, what)[1]
            add(f"peak memory at {int(last):,} cells: {what}", "below 2,000 MB", peak, peak < 2000, "{:,.0f} MB")
        for what, words in (("labels", "labels, confidence, sets"), ("annotate", "annotate, default")):
            r = best(found, last, "read")[0] / best(found, last, what)[0]
            add(f"rate at {int(last):,} cells, of reading: {words}", "at least 0.5", r, r >= 0.5, "{:.2f}")
            each = [best(found, n, what)[0] / int(n) for n in flat]
            spread = max(each) / min(each) - 1
            add(
                f"time a cell from {int(flat[0]):,} cells on: {words}",
                "flat within 20 %",
                spread,
                spread <= 0.2,
                "{:.0%}",
            )
    if "same" in results:
        rows = list(results["same"]["rows"].values())
        bad = sum("error" in r or r["labels"] < 1 or r["proba"] > 1e-5 for r in rows)
        add(f"other results than in memory, of {len(rows)} places", "none", bad, not bad, "{:.0f}")
    return markdown("what | target | result | met", lines)


def page(results: dict[str, Any]) -> str:
    from _speed_words import MORE_TYPES, PAGE

    machine = max((r["machine"] for r in results.values()), key=lambda m: m["date"])
    versions = ", ".join(f"{p} {v}" for p, v in machine["versions"].items())
    numbers = {
        "cores": machine["cores"],
        "memory": machine["memory_gb"],
        "date": machine["date"],
        "python": machine["python"],
        "versions": versions,
        "x_mb": f"{results['annotate']['x_mb']:.0f}",
        "density": f"{results['annotate']['density']:.1%}".replace("%", " %"),
        "rounds": results["annotate"]["rounds"],
    }
    made = tables(results)
    more = results.get("fit50")
    text = MORE_TYPES.format(table=made["fit50"], **more) if more else ""
    return PAGE.format(more_types=text, **numbers, **made)

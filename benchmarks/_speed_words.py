"""The words of docs/performance.md."""

PAGE = """# Speed and memory

How long the package takes, how much memory, and how that compares with a bare matrix product and with CellTypist. The cells
are made up (Poisson counts of 2,000 genes, {density} of the values above 0), so the scores below say nothing about real
tissue; speed depends on size and density, hardly on what the values mean.

What to keep in mind:

* One machine with {cores} cores and {memory} GB, shared with other work while this was measured. **Compare ratios within a
  table, not seconds between machines or tables.** Each call was made once before it counted (but for the fits), then
  {rounds} times, all in turn; the fewest seconds count. Fits and files were measured once or twice.
* BLAS had one thread (`OMP_NUM_THREADS=1`) for everything measured, CellTypist included. With its default, as many threads as
  cores, on this busy machine a fit on 1,000 cells took 24 seconds instead of 7: see [threads](large.md#threads).
  `sc_annotate` itself works on two blocks at once; the product and scikit-learn use one core.
* **The floor** is `X @ W` by scipy, a CSR matrix times one dense column a type: no linear model can be faster this way.
* *Extra memory* is how far the resident memory of the process rises during a call, by the kernel's own high-water mark,
  reset before each call; `X` itself ({x_mb} MB for 100,000 cells) is not in it. *Peak memory* is that mark for a whole
  process, Python and all imports included.

Made on {date} with Python {python} and {versions}, by `benchmarks/speed.py`.

## What was aimed at, and what was found

{wanted}

**What falls short, in plain words:**

* **Unfamiliarity is what costs**: some five times as long as all the rest for log1p values. `false_alarms=None` switches it off. Counts
  with unfamiliarity and quality are about 8 to 9 times as fast as CellTypist on log1p values, which it asks for: there, ours are
  beyond 10 times.
* With 200 types the probabilities themselves are half as large as `X`; `store_proba="topk"` saves most of that.
* A fit of `lda` with everything is just short of 5 x: products of all genes are summed anew in each fold.
* **From a file in the system's cache, annotating with everything does not reach half the rate of reading**. Labels, confidence and sets
  are at the edge: 0.47 to 0.57 in several runs. Their time a cell is not flat because it falls: with 100,000 cells a good part of a call
  is what every call costs. Memory stays far below 2 GB.

![Cells a second, seconds of fits, rates from files and peak memory](_static/performance.png)

## Annotating 100,000 cells

A fitted model of 10 types. *Labels, confidence, sets* is `annotate(..., false_alarms=None, check_quality=False)`; the
default also looks for unfamiliar cells and, in counts, for cells of low quality. CellTypist gives labels and
probabilities, scikit-learn probabilities only, both from log1p values.

{annotate}

## 200 types

The same for 200 types, beside a product with 200 columns.

{types}

## Fitting on 100,000 cells

CellTypist as its authors advise for many cells: `train(..., use_SGD=True, mini_batch=True)`. *Bare*: the model alone
(`calibration=None, cv=0`). *Default*: with calibration, prediction sets, unfamiliarity and the held-out scores of the
method and its baselines. By default `fit_annotator` learns from a random sample of 30,000 cells (`max_cells`);
*all cells* is `max_cells=None`. Macro-F1 is that of 20,000 cells that none has seen.

{fit}

{more_types}## From a file

An h5ad file of counts (CSR, chunks of 32,768 values, not compressed), opened with `backed="r"`; each job in a process of
its own. *Read* merely takes 4,096 cells at a time from the file, which the system had in its cache: with a slow disk all
jobs come closer to it. Short jobs were repeated; the fewest seconds count. *Fit* learns from a sample of 30,000 cells, or all where there are fewer.

{backed}

## The same result everywhere

10,000 cells annotated by one model from other places, compared with the same in memory. Unfamiliarity may
differ in the second digit after the point, where other blocks are added up in another order; no status changed.

{same}
"""

MORE_TYPES = """50 types, {n:,} cells, scored on {n_test:,}:

{table}

"""

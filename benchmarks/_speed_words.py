"""The words of docs/performance.md."""

PAGE = """# Benchmark: speed and memory

**Summary.** Annotating 100,000 cells takes about a second and 30 MB of extra memory with all checks, and 0.1 to 0.2 seconds
without out-of-distribution scores, close to a plain matrix product. This is 7 to 80 times as fast as CellTypist. A default
fit takes about 15 seconds for any number of cells, as it uses a sample of 30,000. A million cells are annotated from a file
in 9 seconds with less than 700 MB of memory.

Time and memory, compared with a matrix product and with CellTypist. The cells are simulated (Poisson counts of 2,000 genes, {density} of the values above 0), so the scores say nothing about real tissue; speed
depends on size and density. Limits:

* One machine with {cores} cores and {memory} GB, under other load during the measurements. **Compare ratios within a
  table, not seconds between machines or tables.** Each call was run once to warm up (except fits), then
  {rounds} times in turn; the minimum is reported. Fits and files were measured once or twice.
* BLAS had one thread (`OMP_NUM_THREADS=1`) for everything measured, CellTypist included. With its default, as many threads as
  cores, under this load a fit on 1,000 cells took 24 seconds instead of 7: see [threads](large.md#threads).
  `sc_annotate` itself processes two blocks in parallel; the product and scikit-learn use one core.
* **The baseline** is `X @ W` with scipy, a CSR matrix times one dense column per type, a lower bound for linear models.
* *Extra memory* is the increase of the resident memory of the process during a call, from the peak that the kernel records; `X` itself ({x_mb} MB for 100,000 cells) is not included. *Peak memory* is the peak of a whole process, with Python and all imports.

Made on {date} with Python {python} and {versions}, by `benchmarks/speed.py`.

## Targets and results

{wanted}

**Targets that were missed:**

* **Out-of-distribution scores take most of the time**: about five times as long as all other steps for log1p values.
  `trust=sca.trust.Options(false_positive_rate=None)` skips them. Counts with these scores and quality checks are about 8 to 9
  times as fast as CellTypist on log1p values, which it requires; on log1p values, we are more than 10 times as fast.
* With 200 types the probabilities are half as large as `X`; `store_proba="topk"` saves most of that.
* A default fit of `lda` is slightly below 5 x, as products of all genes are summed in each fold.
* **From a file in the system's cache, the default does not reach half the rate of reading**. Labels, confidence and sets
  reach 0.47 to 0.57 in several runs. Their time per cell decreases with the number of cells, as the constant cost of a call
  matters with 100,000 cells. Memory stays far below 2 GB.

![Cells a second, seconds of fits, rates from files and peak memory](_static/performance.png)

## Annotating 100,000 cells

A fitted model of 10 types. *Labels, confidence, sets* is `annotate` with
`trust=sca.trust.Options(false_positive_rate=None, check_quality=False)`; the default also detects cells that are out of
distribution and, in counts, cells of low quality. CellTypist gives labels and
probabilities, scikit-learn probabilities only, both from log1p values.

{annotate}

## 200 types

The same for 200 types, compared with a product with 200 columns.

{types}

## Fitting on 100,000 cells

CellTypist as recommended for many cells: `train(..., use_SGD=True, mini_batch=True)`. *Bare*: the model alone
(`trust=None, cv=0`). *Default*: with calibration, prediction sets, out-of-distribution scores and the held-out scores of the
method and its baselines. By default `fit_annotator` learns from a random sample of 30,000 cells (`max_cells`);
*all cells* is `max_cells=None`. Macro-F1 is that of 20,000 held-out cells.

{fit}

{more_types}## From a file

An h5ad file of counts (CSR, chunks of 32,768 values, not compressed), opened with `backed="r"`; each job in its own process.
*Read* reads 4,096 cells at a time from the file, which is in the cache of the system: with a slow disk all jobs are closer
to it. Short jobs were repeated; the minimum is reported. *Fit* uses a sample of 30,000 cells, or all if there are fewer.

{backed}

## Equal results from files, Dask and zarr

10,000 cells annotated with one model, compared with the result in memory. Unfamiliarity may differ in the second decimal,
as blocks are summed in another order; no status changed.

{same}
"""

MORE_TYPES = """50 types, {n:,} cells, scored on {n_test:,}:

{table}

"""

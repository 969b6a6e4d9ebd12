"""The words of docs/benchmarks_trust.md; benchmarks/trust.py fills in the tables."""

PAGE = """# Benchmark: confidence, sets, votes, consensus

How far the numbers that stand beside a call can be trusted, on four small measured data sets. What they mean is told
in [Can I believe this call?](trust.md).

What to keep in mind:

* A **test** is a set of cells that nothing was learned from. `pbmc68k` is one test (five folds of one sample, scored
  together); `pbmc_3tech`, `kang` and `scmixology` give one test for each batch, left out whole: 13 tests.
  Calibrators, thresholds and weights are learned by folds inside the training cells (whole batches, where there are
  any), as `annotate` does with `batch_key`.
* Every test cell counts, always: none is dropped for low confidence. A test cell of a type that the training cells
  lack counts as wrong.
* Square brackets are 95 % bootstrap intervals of a difference on the same cells. For one data set, cells are drawn
  again within each batch: this says nothing about another batch. For all 13 tests, whole tests are drawn: rough, and
  12 of them come from three studies.
* One seed for folds and methods. The defaults were chosen with this data at hand: take the figures as the best to
  expect.

Made on {date} with sc_annotate {own}, {versions}, by `benchmarks/trust.py`.

## Calibration

**Logistic regression needs hardly any.** Its confidence is near the truth before calibration; the default,
temperature, changes next to nothing. **LDA and the forest need it**: LDA is far too sure and the forest far too
modest, and any of the three repairs most of that, in new batches too.

**Calibration is not always a gain.** These failures stand in the tables:

* *Isotonic makes logistic regression and the linear SVM worse*, and Venn-Abers a little: with the 560 to 1,260
  training cells of these tests they follow noise. Stay with temperature for these methods.
* *Nearest centroid and naive Bayes on `pbmc_3tech` get worse by temperature*: only two batches are left to learn
  from, so that each model inside has seen one batch, errs more than the final one, and makes the final one more
  modest than it should be. Naive Bayes gets worse there by all three.
* *Naive Bayes on `kang`*: isotonic and Venn-Abers double the calibration error in new batches, although the log loss
  does not rise for sure.
* *The network (`mlp`) on `kang`* loses a little by temperature.
* In the treated batches of `kang` (`stim101`, `stim107`) logistic regression stays surer than it is right, with or
  without calibration: what is learned from other batches does not know of a shift.

### Expected calibration error (and that of a perfect model)

The mean gap between confidence and accuracy, in 15 bins. In brackets the gap that true probabilities would show with
as many cells: only what lies clearly above it is a fault. Means over tests.

{calibration_ece}
### Log loss

Before, then the change (below 0: better).

{calibration_loss}
The same over all 13 tests, each weighing the same:

{calibration_loss_all}
### Brier score

Lower is better.

{calibration_brier}
### Calls

Temperature leaves all calls as they are. Isotonic and Venn-Abers treat each type by itself and can change the call.
The scores of logistic regression, and how they change; all cells of a data set together. On `pbmc68k` Venn-Abers
raises macro-F1, by how much the interval leaves open; in new batches calls stay about as good as they were.

{calibration_calls}
### Logistic regression, test by test

Error: the expected calibration error, in brackets that of a perfect model. The last three columns: change of the log
loss.

{calibration_by_test}
## Prediction sets

**Over all cells the sets keep their word; by type they do not, unless asked to, and for rare types nothing can be
promised.** `pbmc68k`, logistic regression with temperature; the held-out cells are divided at random into 350 that
give the thresholds and 350 that are scored, 200 times; 90 % asked for. *sd* is that of the coverage from one division
to the next: with 350 cells, a coverage of 0.87 is no alarm. *Worst type*: the one with the lowest coverage, all
divisions together. No set is empty, since the call itself always belongs to its set. LAC is as good as the others
here, and the simplest.

{sets_halves}
By type, with LAC. Types in bold have 30 calibration cells or more on average. `sets_by="label"` lifts the types that
the common threshold misses, if they have about 20 cells. With fewer than 10 calibration cells a type falls back on
the common threshold, and a naive T cell is then missed in three of four cases, whatever is asked for: **eight cells
are too few to promise anything.**

{sets_by_type}
For new batches, with thresholds from the training cells (LAC, marginal; interval: Wilson, of the coverage itself).
Where *calls right* exceeds 90 % already, nearly all sets are single types, and **coverage is then simply the accuracy
of the calls**, not a promise kept: sets add (next to) nothing there. In `kang: stim107` calls are right a little less
often than 90 %, and the sets do not make up for it, since they were learned from batches in which calls were better;
with 306 cells this cannot be told from 90 %. Types that are rare in the training cells (HSC, MK) are missed by the
sets as they are by the calls, and FCGR3A+ monocytes are covered in 70 to 78 % of cells in three batches of `kang`.

{sets_by_test}
## Votes of clusters

**On this data every vote lowers macro-F1, with the guard for rare types or without.** Calls of logistic regression,
held out; clusters are the `louvain` column of `pbmc68k`, or k-means on 30 principal components of the cells of the
test (of each batch by itself). All cells of a data set are scored together; the last columns are the share of right
calls of the three rarest types (number of cells).

* Without the guard, types that the clusters do not separate are wiped out: a vote over `louvain` finds no memory T
  cell.
* The guard brings back much of that, not all of it.
* The default guards confident calls only (`min_confidence=0.5`). Calls of rare types are often less confident than
  that, so that on `pbmc68k` this costs some of what the guard would save; `min_confidence=0` (below: *whatever the
  confidence*) keeps more there, and changes nothing on the other two.
* On `kang` the guard has nothing to do: each type wins a cluster somewhere. The vote still takes FCGR3A+ monocytes,
  or CD8 T cells, for their neighbours.
* Without the guard, 64 clusters harm less than 8; with it, on `pbmc68k`, they harm more. There is no safe number.
* A naive T cell is called rightly in one case of eight even raw: the vote cannot mend that.
* k-means moves with its seed and the number of components: differences of 0.05 between clusterings mean nothing.

### pbmc68k

{votes_pbmc68k}
### kang

{votes_kang}
### pbmc_3tech

{votes_pbmc_3tech}
## Consensus

Log loss / accuracy / macro-F1, means over tests, each method calibrated by temperature. *Chosen*: the one member with
the lowest log loss on held-out training cells. *Equal*: all count the same. *Weighted*: weights learned on held-out
training cells, as `annotate(method=["logreg", "lda", "knn"])` does; on average {consensus_weights}.

{consensus_scores}
Is it worth it? The log loss minus that of the **best member**, chosen with hindsight on these very tests, which
nobody can do in practice (below 0: the consensus is better):

{consensus_differences}
**The weighted consensus is, on average, no worse than its best member**, and by too little to be sure that it is
better: the interval over tests reaches beyond 0, and on `scmixology` it is worse by a hair. **With equal weights it
is worse** on `pbmc68k` and `scmixology`, since a poor member (knn) has its say. So: use the learned weights, expect
the log loss of the best method without having to know which it is, and do not expect better calls. Simply choosing
the best member on held-out cells does nearly as well.

Macro-F1 of all cells of a data set together, minus that of the same member. On `pbmc68k` the consensus loses macro-F1
(with weights, at the same accuracy, so at the cost of rare types): surely with equal weights, perhaps with learned
ones.

{consensus_calls}
## Rejecting the least confident calls

Logistic regression with temperature. *Risk at 0.8*: the share of wrong calls among the 80 % of cells that are most
confident (always to be read with the 20 % given up; *at 1*: no cell given up). *Area*: the mean risk over all such
shares; *excess area*: what it has above the best possible order of the same calls. *AUROC*: how well low confidence
ranks wrong calls above right ones (0.5: not at all).

Confidence ranks mistakes well: leaving out a fifth of the cells takes away more than half of the errors on `pbmc68k`,
and more elsewhere. It does not take away all: on `pbmc68k`, of the most confident 80 %, still one in 13 is wrong. And
these are mistakes among known types; cells of a type that the reference lacks are [another
matter](benchmarks_unfamiliar.md). Where a test has fewer than ten wrong calls, its numbers say little.

{rejection_curve}"""

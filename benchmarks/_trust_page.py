"""The words of docs/benchmarks_trust.md; benchmarks/trust.py fills in the tables."""

PAGE = """# Benchmark: calibration, prediction sets, cluster votes and consensus

**Summary.**

* *Calibration.* Logistic regression is nearly calibrated without correction. LDA and random forests need calibration, and
  temperature scaling, the default, removes most of their error, also in new batches.
* *Prediction sets.* Over all cells the coverage is as requested. By type it is not, unless `sets_by="label"` is used;
  types of fewer than ten calibration cells have no threshold of their own.
* *Cluster votes.* Every vote lowered macro-F1 on these data.
* *Consensus.* The weighted consensus has the log loss of the best method, without having to know which one that is. Its labels
  are not better.
* *Rejection.* Leaving out the 20 % least confident cells removes more than half of the errors.

Four small measured data sets. [](trust.md) explains the numbers. Limits:

* A **test** is a set of cells that was not used for fitting. `pbmc68k` is one test (five folds of one sample, scored
  together); `pbmc_3tech`, `kang` and `scmixology` give one test for each batch, left out whole: 13 tests.
  Calibrators, thresholds and weights are learned by folds inside the training cells (whole batches, where there are
  any), as `annotate` does with `batch_key`.
* All test cells count: none is dropped for low confidence. A test cell of a type that the training cells lack counts as
  an error.
* Square brackets are 95 % bootstrap intervals of a difference on the same cells. For one data set, cells
  are resampled within each batch, which says nothing about other batches. Over all 13 tests, whole tests are resampled:
  this is rough, and 12 of them come from three studies.
* One seed for folds and methods. The defaults were chosen with these data: the figures are the best to be
  expected.

Made on {date} with sc_annotate {own}, {versions}, by `benchmarks/trust.py`.

## Calibration

**Logistic regression needs little calibration.** Its confidence is close to its accuracy before calibration, and the
default, temperature, changes it little. **LDA and random forests need calibration**: LDA is overconfident and the forest
underconfident. All three calibrators correct most of that, also in new batches.

**Calibration does not always help.** The tables show these failures:

* *Isotonic makes logistic regression and the linear SVM worse*, and Venn-Abers a little: with the 560 to 1,260
  training cells of these tests they fit noise. Use temperature for these methods.
* *Nearest centroid and naive Bayes on `pbmc_3tech` get worse with temperature*: only two training batches remain, so each
  inner model is fitted on one batch and is less accurate than the final model, which then is underconfident. Naive Bayes
  gets worse with all three calibrators.
* *Naive Bayes on `kang`*: isotonic and Venn-Abers double the calibration error in new batches, although the
  increase of the log loss is not significant.
* *The network (`mlp`) on `kang`* gets slightly worse with temperature.
* In the treated batches of `kang` (`stim101`, `stim107`) logistic regression is overconfident, with or without
  calibration: calibration on other batches does not account for the shift.

### Expected calibration error (and its expected value for a perfectly calibrated model)

The mean gap between confidence and accuracy, in 15 bins. In brackets the value expected for a
perfectly calibrated model with this number of cells: only an error clearly above it is a fault. Means over tests.

{calibration_ece}
### Log loss

Before, then the change (below 0: better).

{calibration_loss}
Over all 13 tests, with equal weights:

{calibration_loss_all}
### Brier score

Lower is better.

{calibration_brier}
### Labels

Temperature does not change the labels. Isotonic and Venn-Abers calibrate each type separately and can change them. Scores
of logistic regression and their changes, over all cells of a data set. On `pbmc68k` Venn-Abers increases macro-F1, with a
wide interval; in new batches the scores hardly change.

{calibration_labels}
### Logistic regression, test by test

Error: expected calibration error, in brackets its expected value for a perfectly calibrated model. Last three columns:
change of the log loss.

{calibration_by_test}
## Prediction sets

**Over all cells the coverage is as requested; by type it is not, unless `sets_by="label"` is used, and for rare types there
is no guarantee.** `pbmc68k`, logistic regression with temperature; the held-out cells are divided at random into 350
for the thresholds and 350 for scoring, 200 times; requested coverage 90 %. *sd* is that of the coverage from one division
to the next: with 350 cells, a coverage of 0.87 is not unusual. *Worst type*: the one with the lowest coverage, over all
divisions. No set is empty, as it always contains the label. LAC is the simplest score, and as good as the others.

{sets_halves}
By type, with LAC. Types in bold have 30 calibration cells or more on average. `sets_by="label"` increases the
coverage of types that the common threshold misses, if they have about 20 cells. With fewer than 10 calibration cells a type
uses the common threshold, and a naive T cell is then missed in three of four cases: **eight cells are too few for any
guarantee.**

{sets_by_type}
For new batches, with thresholds from the training cells (LAC, marginal; interval: Wilson, of the coverage itself).
Where the accuracy exceeds 90 %, nearly all sets contain one type, and **the coverage is then the accuracy of the labels**:
sets add little there. In `kang: stim107` the accuracy is slightly below 90 %, and so is the coverage, as the thresholds were
learned from batches with a higher accuracy; with 306 cells this is not significantly different from 90 %. Types that are
rare in the training cells (HSC, MK) are missed by the sets as by the labels, and FCGR3A+ monocytes are covered in 70 to 78 % of cells in three batches of `kang`.

{sets_by_test}
## Votes of clusters

**On these data every vote lowers macro-F1, with the guard for rare types or without.** Held-out labels of logistic
regression; clusters are the `louvain` column of `pbmc68k`, or k-means on 30 principal components of the cells of the
test (of each batch by itself). All cells of a data set are scored together; the last columns are the
share of correct labels of the three rarest types (number of cells).

* Without the guard, types that the clusters do not separate are lost: a vote over `louvain` finds no memory T
  cell.
* The guard prevents much of that, but not all.
* The default guards confident labels only (`min_confidence=0.5`). Labels of rare types are often less confident, so that
  the guard has less effect on `pbmc68k`; `min_confidence=0` (below: *any confidence*) keeps more of them there, and changes
  nothing on the other two.
* On `kang` the guard has no effect, as each type is the majority of some cluster. The vote still confuses FCGR3A+
  monocytes, or CD8 T cells, with similar types.
* Without the guard, 64 clusters are better than 8; with it, on `pbmc68k`, they are worse. There is no safe number.
* One of eight naive T cells is labelled correctly without a vote; the vote cannot improve that.
* k-means depends on its seed and the number of components: differences of 0.05 between clusterings are not meaningful.

### pbmc68k

{votes_pbmc68k}
### kang

{votes_kang}
### pbmc_3tech

{votes_pbmc_3tech}
## Consensus

Log loss / accuracy / macro-F1, means over tests, each method calibrated by temperature. *Chosen*: the method with
the lowest log loss on held-out training cells. *Equal*: equal weights. *Weighted*: weights learned on held-out
training cells, as `annotate(method=["logreg", "lda", "knn"])` does; on average {consensus_weights}.

{consensus_scores}
The log loss minus that of the **best method**, chosen on these same tests, which is not possible in practice (below 0: the
consensus is better):

{consensus_differences}
**The weighted consensus is, on average, as good as its best method.** It is not significantly better: the interval over
tests contains 0, and on `scmixology` it is slightly worse. **With equal weights it is worse** on `pbmc68k` and
`scmixology`, because of one poor method (knn). Use the learned weights, and expect the log loss of the best method, but not
better labels. Choosing the best method on held-out cells does nearly as well.

Macro-F1 of all cells of a data set together, minus that of the same method. On `pbmc68k` the consensus has a
lower macro-F1 (with weights, at the same accuracy, so at the cost of rare types): significantly with equal weights, not
with learned ones.

{consensus_labels}
## Rejecting the least confident labels

Logistic regression with temperature. *Risk at 0.8*: error rate among the 80 % most confident cells (*at 1*: all cells).
*Area*: mean risk over all such shares; *excess area*: its difference from the best possible order of the same labels.
*AUROC*: how well low confidence ranks errors above correct labels (0.5: not at all).

Confidence ranks errors well: leaving out a fifth of the cells removes more than half of the errors on `pbmc68k`, and more
on the other data sets. It does not remove all: on `pbmc68k`, one in 13 of the 80 % most confident labels is wrong. These are
errors among known types; for types that the reference lacks see [](benchmarks_unfamiliar.md). Scores of tests with fewer
than ten errors are unreliable.

{rejection_curve}"""

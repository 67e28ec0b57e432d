"""One statistical method for every interval, test and selection; pure functions over arrays.

- `interval`: how good is a configuration, give or take?
- `difference`: is one configuration better than another, by how much?
- `compare_all`: which configurations differ from the worst (or best), and how probable is it to be
  that? `decide` asks it again after every further repeat.

They take `Resampled` tables: a metric of some runs, as observed and in bootstrap replicates of the
images, made of predictions by `resample_predictions`, or of values alone by `of_values`.
What an answer is about stands in `covers`: single runs cover images alone, so they have no
p-values. The model is in `variance`; simulated coverage in `tests/benchmarks`.
"""

from mnist_sweep.analysis.statistics.bootstrap import Resampled as Resampled
from mnist_sweep.analysis.statistics.bootstrap import resample_predictions as resample_predictions
from mnist_sweep.analysis.statistics.comparisons import Comparisons as Comparisons
from mnist_sweep.analysis.statistics.comparisons import compare_all as compare_all
from mnist_sweep.analysis.statistics.estimates import Difference as Difference
from mnist_sweep.analysis.statistics.estimates import Interval as Interval
from mnist_sweep.analysis.statistics.estimates import corrected as corrected
from mnist_sweep.analysis.statistics.estimates import difference as difference
from mnist_sweep.analysis.statistics.estimates import holm as holm
from mnist_sweep.analysis.statistics.estimates import interval as interval
from mnist_sweep.analysis.statistics.estimates import of_values as of_values
from mnist_sweep.analysis.statistics.sequential import Decision as Decision
from mnist_sweep.analysis.statistics.sequential import decide as decide
from mnist_sweep.analysis.statistics.variance import Covers as Covers
from mnist_sweep.analysis.statistics.variance import SeedVariances as SeedVariances

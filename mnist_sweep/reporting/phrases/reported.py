"""What the published report claims, to stand beside what was measured here.

The report is "Classification using Neural Networks with Keras on MNIST Digit Recognizer Dataset".
Its figures are of single runs, so they stand as figures: nothing is concluded from comparing them.
"""

from __future__ import annotations

from mnist_sweep.analysis.varying import TARGET
from mnist_sweep.records.status import RunStatus
from mnist_sweep.records.study_file import Study
from mnist_sweep.records.sweep import Sweep
from mnist_sweep.settings import MLP_TARGET

# Layers, nodes and dropout of its networks.
NETWORKS = {(1, 100, 0.0), (1, 300, 0.0), (2, 100, 0.0), (2, 300, 0.0), (2, 300, 0.2)}

_CHANGED = (
    "for 2 layers x 300 nodes, dropout=0.2; one run of each, against the run it was chosen by."
)
CLAIMS = {
    "best": "1 layer x 300 nodes, test accuracy 97.9 %, F1 0.98; one run of each network.",
    "hardest digits": (
        "3, 5, 8 for 1 layer x 300 nodes, most often misread 3 as 5 and 8; 5 as 3; 8 as 3."
    ),
    "worst": (
        "2 layers x 300 nodes, by the lowest F1 of a digit on the test split (0.96, digits 8 and "
        "9); one run of each network."
    ),
    # What dropout changed, of the test split.
    "accuracy": f"+0.4 points (97.3 to 97.7 %) {_CHANGED}",
    "f1_min": f"+0.01 (0.96 to 0.97) {_CHANGED}",
    "against best": "97.7 % against 97.9 % (-0.2 points); one run of each.",
}


def is_reference(sweep: Sweep, study: Study | None) -> bool:
    """Whether a sweep asks what the published report asks, on MNIST."""
    finished = sweep.frame[sweep.frame["status"] == RunStatus.FINISHED]
    if finished.empty or set(finished["dataset.name"]) != {"mnist"}:
        return False
    keys = ["model.layers", "model.nodes", "model.dropout"]
    if not {*keys} <= {*finished} or set(finished[TARGET]) != {MLP_TARGET}:
        return False
    swept = {tuple(row) for row in finished[keys].itertuples(index=False)}
    if study is None:
        return swept == NETWORKS
    # Those without dropout: which network gets it depends on the selection.
    return {network for network in NETWORKS if not network[-1]} <= swept

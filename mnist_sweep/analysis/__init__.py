"""What the runs say: metrics, selections, statistics, comparisons and the gate."""

"""What can be set: the schema, its checks, the canonical form and the run id.

`SETTINGS` declares each setting once. Everything that must know the settings reads it: Hydra's
schema and the help screen, checks, run ids and labels, comparisons, tables and the reference page.
Of this program it imports only errors, metrics and plugins; all packages may import it.
"""

from mnist_sweep.settings.all_settings import (
    MLP_KEYS,
    NESTED,
    RUN_KEYS,
    SETTINGS,
    SWEEP_KEYS,
    TASK_KEYS,
    affects_result,
    defaults,
    effective,
    epochs_of,
    is_setting,
    is_task,
    known_keys,
    run_settings,
    task_name,
    unused,
    used,
)
from mnist_sweep.settings.identity import canonical, configuration_id, label, run_id
from mnist_sweep.settings.schema import (
    ACTIVATIONS,
    DEFAULT_MARGIN,
    DEFAULT_NAME,
    DEFAULT_OBJECTIVE,
    MLP_TARGET,
    MOMENTUM_OPTIMIZERS,
    OPTIMIZERS,
    EarlyStopping,
    Plain,
    SearchSettings,
    Settings,
)
from mnist_sweep.settings.setting import Setting
from mnist_sweep.settings.validation import (
    Problem,
    is_whole,
    nested_problems,
    problems,
    suggestion,
    value_problem,
    without_effect,
)

__all__ = [
    "ACTIVATIONS",
    "DEFAULT_MARGIN",
    "DEFAULT_NAME",
    "DEFAULT_OBJECTIVE",
    "MLP_KEYS",
    "MLP_TARGET",
    "MOMENTUM_OPTIMIZERS",
    "NESTED",
    "OPTIMIZERS",
    "RUN_KEYS",
    "SETTINGS",
    "SWEEP_KEYS",
    "TASK_KEYS",
    "EarlyStopping",
    "Plain",
    "Problem",
    "SearchSettings",
    "Setting",
    "Settings",
    "affects_result",
    "canonical",
    "configuration_id",
    "defaults",
    "effective",
    "epochs_of",
    "is_setting",
    "is_task",
    "is_whole",
    "known_keys",
    "label",
    "nested_problems",
    "problems",
    "run_id",
    "run_settings",
    "suggestion",
    "task_name",
    "unused",
    "used",
    "value_problem",
    "without_effect",
]

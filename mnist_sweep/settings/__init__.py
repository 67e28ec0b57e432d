"""What can be set: the schema, its checks, the canonical form and the run id.

`SETTINGS` declares each setting once, and everything that must know the settings reads it. Of this
program it imports only errors, metrics and plugins; all packages may import it.
"""

from mnist_sweep.settings.all_settings import MLP_KEYS as MLP_KEYS
from mnist_sweep.settings.all_settings import NESTED as NESTED
from mnist_sweep.settings.all_settings import RUN_KEYS as RUN_KEYS
from mnist_sweep.settings.all_settings import SETTINGS as SETTINGS
from mnist_sweep.settings.all_settings import SWEEP_KEYS as SWEEP_KEYS
from mnist_sweep.settings.all_settings import TASK_KEYS as TASK_KEYS
from mnist_sweep.settings.all_settings import affects_result as affects_result
from mnist_sweep.settings.all_settings import defaults as defaults
from mnist_sweep.settings.all_settings import effective as effective
from mnist_sweep.settings.all_settings import epochs_of as epochs_of
from mnist_sweep.settings.all_settings import is_setting as is_setting
from mnist_sweep.settings.all_settings import is_task as is_task
from mnist_sweep.settings.all_settings import known_keys as known_keys
from mnist_sweep.settings.all_settings import run_settings as run_settings
from mnist_sweep.settings.all_settings import task_name as task_name
from mnist_sweep.settings.all_settings import unused as unused
from mnist_sweep.settings.all_settings import used as used
from mnist_sweep.settings.identity import canonical as canonical
from mnist_sweep.settings.identity import configuration_id as configuration_id
from mnist_sweep.settings.identity import label as label
from mnist_sweep.settings.identity import run_id as run_id
from mnist_sweep.settings.schema import ACTIVATIONS as ACTIVATIONS
from mnist_sweep.settings.schema import DEFAULT_LEVEL as DEFAULT_LEVEL
from mnist_sweep.settings.schema import DEFAULT_MARGIN as DEFAULT_MARGIN
from mnist_sweep.settings.schema import DEFAULT_NAME as DEFAULT_NAME
from mnist_sweep.settings.schema import DEFAULT_OBJECTIVE as DEFAULT_OBJECTIVE
from mnist_sweep.settings.schema import DEFAULT_REPLICATES as DEFAULT_REPLICATES
from mnist_sweep.settings.schema import MLP_TARGET as MLP_TARGET
from mnist_sweep.settings.schema import MOMENTUM_OPTIMIZERS as MOMENTUM_OPTIMIZERS
from mnist_sweep.settings.schema import OPTIMIZERS as OPTIMIZERS
from mnist_sweep.settings.schema import Plain as Plain
from mnist_sweep.settings.schema import SearchSettings as SearchSettings
from mnist_sweep.settings.schema import Settings as Settings
from mnist_sweep.settings.setting import Setting as Setting
from mnist_sweep.settings.validation import Problem as Problem
from mnist_sweep.settings.validation import nested_problems as nested_problems
from mnist_sweep.settings.validation import problems as problems
from mnist_sweep.settings.validation import suggestion as suggestion
from mnist_sweep.settings.validation import value_problem as value_problem
from mnist_sweep.settings.validation import without_effect as without_effect

"""One point in, one result out: data, model, trainer, evaluation.

The only room that imports TensorFlow, and it does so inside the modules that train. `runtime` is
imported first in every process that trains; `data` never needs TensorFlow.
"""

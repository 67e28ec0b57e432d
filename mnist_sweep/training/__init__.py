"""Training: one point in, one result out.

`train.train` builds, trains and evaluates the network of one point. `model` holds the built-in
networks, `compiled` and `fit` are the built-in trainers, `fast/` the layers and optimizers that
make `compiled` fast, `evaluate` the metrics, `runtime` TensorFlow's process-wide set-up.

May import `settings` and `data`. Besides `inference` this is the only package that imports
TensorFlow and Keras. `runtime.configure` has to run before any module here that imports them at its
top; `train`, `progress`, `runtime` and `programs` do not.
"""

"""What makes `trainer=compiled` fast: replacements of layers and optimizers while it trains.

Each replacement computes what Keras's own does, to float32 rounding (`dropout` with other random
bits), and is used only for networks it is known to be right for. The network that is saved keeps
Keras's own layers. `_train_in` of `training/compiled.py` chooses them; a layer that is replaced in
XLA is named in `pad_batch`, too, if it treats each row alone. Everything here imports TensorFlow.
"""

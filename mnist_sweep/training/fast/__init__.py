"""What makes `trainer=compiled` fast: replacements of layers and optimizers while it trains.

Each replacement computes what Keras's own does, to float32 rounding (`dropout` with other random
bits), and is used only for networks it is known to be right for. The network that is saved keeps
Keras's own layers. Everything here imports TensorFlow.
"""

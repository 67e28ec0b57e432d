"""Layers, optimizers and programs that give Keras's results in less time."""

"""Dropout with cheap random bits, replacing Keras's own while a network trains.

Keras draws a mask from a cryptographic-strength generator, which costs a third of a dense
network's epoch. Here the bits are a hash of a counter: Wellons's `triple32`, a bijection of 32-bit
words with a mean avalanche bias of 0.02 % (https://github.com/skeeto/hash-prospector). Every call
of every layer has its own 64-bit key: half is added to the counter, half is mixed in after the
first round, so that two calls with similar first halves do not share words. The tests compare the
masks with a Bernoulli sequence: rate, variance, and correlation along a mask, between calls,
layers and seeds.
"""

from __future__ import annotations

import math

import keras
import tensorflow as tf

from mnist_sweep.training.fast.program import Replacements
from mnist_sweep.training.model import all_layers, is_subclassed

_WORDS = 2**32


def _word(value: int) -> tf.Tensor:
    return tf.constant(value, tf.uint32)


def _fold(words: tf.Tensor, shift: int) -> tf.Tensor:
    return tf.bitwise.bitwise_xor(words, tf.bitwise.right_shift(words, _word(shift)))


def triple32(words: tf.Tensor, key: tf.Tensor | None = None) -> tf.Tensor:
    """Wellons's hash of uint32 words; `key`, a scalar, is mixed in after its first round."""
    words = _fold(words, 17) * _word(0xED5AD4BB)
    if key is not None:
        words = tf.bitwise.bitwise_xor(words, key)
    words = _fold(words, 11) * _word(0xAC4C1B51)
    words = _fold(words, 15) * _word(0x31848BAB)
    return _fold(words, 14)


def random_words(seed: tf.Tensor, shape: tuple[int, ...]) -> tf.Tensor:
    """Uniform uint32 words of `shape` that depend on `seed` only.

    Args:
        seed: Two words, (2,) of any integer type: a stream and a position in it.
        shape: Of the result; at most 2**32 words.
    """
    stream, position = tf.unstack(tf.cast(seed, tf.uint32))
    stream = triple32(stream + _word(0x9E3779B9))
    offset = triple32(tf.bitwise.bitwise_xor(triple32(position), stream))
    key = triple32(triple32(tf.bitwise.invert(position)) + stream)
    counter = tf.reshape(tf.cast(tf.range(math.prod(shape)), tf.uint32), shape)
    return triple32(counter + offset, key)


class CounterDropout(keras.layers.Dropout):
    """`keras.layers.Dropout` by `random_words`; the batch's shape must be static.

    Attributes:
        words: The seeds of its calls; None uses the layer's own `seed_generator`.
    """

    words: keras.random.SeedGenerator | None = None

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:  # noqa: FBT001, FBT002 (Keras's form)
        """Set a share `rate` of the inputs to zero and scale up the rest, in training only."""
        if not training or self.rate == 0:
            return inputs
        shape = tuple(inputs.shape)
        words = random_words((self.words or self.seed_generator).next(), shape)
        kept = words >= _word(min(round(self.rate * _WORDS), _WORDS - 1))
        return tf.where(kept, inputs * (1.0 / (1.0 - self.rate)), tf.zeros_like(inputs))


def replacements(network: keras.Model, seed: int) -> Replacements:
    """The layers that `CounterDropout` can replace, each with a class that has its own seeds.

    Subclassed models and dropout with a noise shape keep Keras's.
    """
    if is_subclassed(network):
        return {}
    found = dict.fromkeys(
        layer
        for layer in all_layers(network)
        if type(layer) is keras.layers.Dropout and layer.noise_shape is None
    )
    return {layer: _seeded(seed, stream) for stream, layer in enumerate(found, start=1)}


def _seeded(seed: int, stream: int) -> type[CounterDropout]:
    mixed = (seed * 0x9E3779B1 + stream * 0x85EBCA6B) % (2**31 - 1)
    # On the class: the layer's own seed generator is a part of the network, and stays.
    return type("CounterDropout", (CounterDropout,), {"words": keras.random.SeedGenerator(mixed)})

"""The text of a module with layers of a user's own: one is registered with Keras, one is not."""

OWN_LAYERS = """
import keras

@keras.saving.register_keras_serializable("own")
class Doubles(keras.layers.Layer):
    def call(self, images):
        return 2.0 * images

class Shifts(keras.layers.Layer):
    def call(self, images):
        return images + 1.0
"""

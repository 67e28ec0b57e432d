"""Records at rest: read, written, collected, selected. Imports neither TensorFlow nor Hydra."""

"""Records to what people read: tables in many forms. Imports neither TensorFlow nor Hydra."""

"""Records to what people read: phrases, tables, figures, the report, comparisons, exports.

Imports neither TensorFlow nor Hydra.
"""

"""One module per file format a dataset can come in; each returns arrays."""

"""Runs on a Ray cluster, or on a Ray started for the sweep: `hydra/launcher=ray`.

    launcher    its settings; on the driver: hands runs out, writes what comes back
    connection  to a cluster, or to a Ray on this machine; needs of a run; temporary directories
    node        on a node: the data, one run in a fresh process, its epochs and files

Ray itself is imported inside functions: it is an extra, and takes a second.
"""

"""Runs on a Ray cluster, or on a Ray started for the sweep: `hydra/launcher=ray`.

    launcher    its settings; how many runs go at a time
    connection  to a cluster, or to a Ray on this machine; needs of a run; temporary directories
    dispatch    on the driver: hands runs out, writes what comes back, retries what died
    task        on a node: one run in a fresh process, its files as bytes
    node_data   on a node: the prepared data, fetched once
    mailbox     an actor through which runs report their epochs

Ray itself is imported inside functions: it is an extra, and takes a second.
"""

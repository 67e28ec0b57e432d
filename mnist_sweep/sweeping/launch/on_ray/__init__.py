"""Runs on a Ray cluster, or on a Ray started for the sweep: `hydra/launcher=ray`.

    launcher    Hydra's side: settings, how many runs at once
    connection  to the cluster, or its start; what travels with the code
    pool        the driver: hands runs out, writes what comes back, retries what died
    task        the node: one run in a fresh process, its files as bytes
    node_data   the node: the prepared data, once
    mailbox     an actor through which running runs tell their epochs

Ray itself is imported inside functions: it is an extra, and takes a second.
"""

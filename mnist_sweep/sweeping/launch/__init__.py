"""Running jobs: a job in, a record on disk and a summary out.

    job                         what is run, whether its record stands, what is reported of it
    launcher                    hands jobs out: locks, retries, fail-fast, interrupts
    pool                        a process per run on this machine, the default
    on_ray/                     a Ray cluster, or a Ray on this machine
    stock_launchers             makes the launcher that `hydra/launcher` names; Hydra's own ones
    submitted                   jobs in a cluster's queue, and the copy of the code that they run
    processes, preload          the fork server, and what it has imported
    worker                      both ends of the pipe between a run's process and its parent
    execute                     what a worker does, and the record that it writes
    user_code/                  networks and tasks of the user's own
    progress                    what a person sees meanwhile

May be used by all of `sweeping`; imports `sweeping.plan` and `sweeping.context` only.
"""

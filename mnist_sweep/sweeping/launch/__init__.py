"""Running jobs: a job in, a record on disk and a summary out.

    job, job_record             what is run; its record: whether it stands, and how one is made
    launcher                    what a launcher is
    dispatch                    hands jobs out: locks, retries, fail-fast, interrupts
    pool                        a process per run on this machine, the default
    on_ray/                     a Ray cluster, or a Ray on this machine
    stock_launchers             makes the launcher that `hydra/launcher` names; Hydra's own ones
    submitit_jobs               the one on Slurm
    processes, preload          the fork server, and what it has imported; preload_task for tasks
    worker                      both ends of the pipe between a run's process and its parent
    execute                     what a worker does; networks builds
    tasks                       functions of the user's own in place of training
    progress, display           what a person sees meanwhile

May be used by all of `sweeping`; imports `sweeping.plan` and `sweeping.context` only.
"""

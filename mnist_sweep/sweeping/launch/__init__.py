"""Running jobs: a job in, a record on disk and a summary out.

    job, job_record             what is run; its record: whether it stands, and how one is made
    launcher, make_launcher     what a launcher is; making the one that `hydra/launcher` names
    dispatch                    hands jobs out: locks, retries, fail-fast, interrupts
    pool                        a process per run on this machine, the default
    on_ray/                     a Ray cluster, or a Ray on this machine
    stock_launchers             Hydra's own launchers; submitit_jobs for the one on Slurm
    processes, preload          the fork server, and what it has imported
    worker_process, worker      both ends of the pipe between a run's process and its parent
    execute                     what a worker does: networks builds, hydra_files writes `.hydra/`
    job_scheduler               what a search decides while jobs run
    progress, display           what a person sees meanwhile

May be used by all of `sweeping`; imports `sweeping.plan` and `sweeping.context` only.
"""

"""Where runs are carried out: local processes, Ray, Slurm, and Hydra's own launchers."""

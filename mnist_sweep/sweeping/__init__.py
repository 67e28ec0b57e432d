"""Points to runs: the grid, the plan, the workers. The only package that imports Hydra."""

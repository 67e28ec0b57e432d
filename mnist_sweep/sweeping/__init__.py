"""Points to runs: the grid, the plan, the workers. The only room that imports Hydra."""

"""From a command line to checked points: overrides, grids, run ids, the sweep's directory."""

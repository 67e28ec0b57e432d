"""`python -m mnist_sweep`, the same program as the console script `mnist-sweep`."""

import os
import sys
from pathlib import Path

if Path("sweep.json").exists():  # a sweep's directory, which may come from anyone: no modules
    sys.path[:] = [path for path in sys.path if path not in ("", str(Path.cwd()))]

try:
    from mnist_sweep.cli import main
except KeyboardInterrupt:  # at once: Python would print where it was
    os.write(2, b"\nInterrupted.\n")
    os._exit(130)

if __name__ == "__main__":
    main()

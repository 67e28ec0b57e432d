"""`python -m mnist_sweep`, the same program as the console script `mnist-sweep`."""

from mnist_sweep.cli import main

if __name__ == "__main__":
    main()

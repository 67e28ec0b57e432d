"""Test images for a report's gallery, from the cache of prepared data.

Reporting reads records and imports nothing of training, so the images are handed to it from here.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_sweep.errors import DataError
from mnist_sweep.records.paths import RunPaths, SweepPaths
from mnist_sweep.records.plan_file import read_plan

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)


def images_of(directories: Sequence[str | os.PathLike[str]]) -> dict[str, NDArray[np.uint8]]:
    """The test images of the data that some sweeps chose, as far as they are at hand.

    Returns:
        Data hash -> (n_test, height, width) uint8, memory-mapped. Data that are not in the cache of
        this machine are left out: the report says so.
    """
    from mnist_sweep.data import DatasetInfo, load

    found: dict[str, NDArray[np.uint8]] = {}
    for directory in map(Path, directories):
        has_plan = SweepPaths(directory).sweep_json.exists()
        is_run = RunPaths(directory).record.exists() and not has_plan
        try:
            plan = read_plan(directory.resolve().parent.parent if is_run else directory)
        except (OSError, ValueError) as error:
            logger.info("no images for the gallery: %s", error)
            continue
        for values in (data for one in plan.invocations for data in one.data.values()):
            try:
                info = DatasetInfo.from_dict(values)
                if info.sha256 not in found:
                    found[info.sha256] = load(info).test_images
            except (DataError, TypeError) as error:
                logger.info("no images for the gallery: %s", error)
    return found

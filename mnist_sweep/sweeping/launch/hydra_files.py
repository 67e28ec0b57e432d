"""`.hydra/` of a run: the files that Hydra's own launchers write, for people who know them."""

from __future__ import annotations

from typing import Any

import yaml

from mnist_sweep.records import store
from mnist_sweep.sweeping.launch.job import Job

# The C emitter is ten times as fast; it is missing only where PyYAML was built without libyaml.
_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def write(job: Job) -> None:
    """Write config.yaml, hydra.yaml and overrides.yaml of a job, if and where Hydra would."""
    hydra = dict(job.hydra)
    name = hydra.get("output_subdir", ".hydra")
    if name is None:
        return
    directory = job.paths.directory / name
    if hydra:
        hydra["overrides"] = {**hydra["overrides"], "task": job.point.overrides}
        hydra["runtime"] = {**hydra["runtime"], "output_dir": str(job.paths.directory)}
        store.write_text(directory / "hydra.yaml", _yaml({"hydra": hydra}))
    store.write_text(directory / "config.yaml", _yaml(job.settings))
    store.write_text(directory / "overrides.yaml", _yaml(job.point.overrides))


def _yaml(value: Any) -> str:
    return str(yaml.dump(value, Dumper=_DUMPER, sort_keys=False, allow_unicode=True))

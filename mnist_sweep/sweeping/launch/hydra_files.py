"""`.hydra/` of a run: the files that Hydra's own launchers write, for people who know them."""

from __future__ import annotations

from typing import Any

import yaml

from mnist_sweep.records import store
from mnist_sweep.records.paths import RunPaths
from mnist_sweep.settings import Plain

# The C emitter is ten times as fast; it is missing only where PyYAML was built without libyaml.
_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def write(job: Plain) -> None:
    """Write config.yaml, hydra.yaml and overrides.yaml of a job."""
    directory = RunPaths(job["directory"]).hydra
    hydra = dict(job.get("hydra", {}))
    if hydra:
        hydra["overrides"] = {**hydra["overrides"], "task": job["overrides"]}
        hydra["runtime"] = {**hydra["runtime"], "output_dir": job["directory"]}
        store.write_text(directory / "hydra.yaml", _yaml({"hydra": hydra}))
    store.write_text(directory / "config.yaml", _yaml(job["settings"]))
    store.write_text(directory / "overrides.yaml", _yaml(job["overrides"]))


def _yaml(value: Any) -> str:
    return str(yaml.dump(value, Dumper=_DUMPER, sort_keys=False, allow_unicode=True))

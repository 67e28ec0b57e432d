"""Code that is edited while a sweep runs is not run under the run id of the code before."""

from __future__ import annotations

from pathlib import Path

import pytest

from mnist_sweep.errors import ModelError
from mnist_sweep.records.status import RunStatus
from mnist_sweep.settings import defaults
from mnist_sweep.sweeping.launch.execute import _head
from mnist_sweep.sweeping.launch.job import Job
from mnist_sweep.sweeping.launch.user_code.checks import check_code
from mnist_sweep.sweeping.plan.points import identify
from support.factories import make_settings
from support.sweep_parts import info_of


def job_of(target: str, sweep: Path) -> Job:
    settings = {**defaults(), **make_settings(model={"_target_": target}), "name": "grid"}
    info = info_of()
    return Job(identify(settings, [], info), info, sweep, {})


def test_edited_code_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    module = tmp_path / "own_edited_net.py"
    module.write_text("def build(): return 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    job = job_of("own_edited_net.build", tmp_path)
    check_code(job.settings, job.point.code)
    assert _head(job, RunStatus.FAILED)["code"] == job.point.code
    module.write_text("def build(): return 1  # the same\n")
    check_code(job.settings, job.point.code)
    module.write_text("def build(): return 2\n")
    with pytest.raises(ModelError, match=r"edited .*\(own_edited_net.py\)\. Repeat the sweep's"):
        check_code(job.settings, job.point.code)


def test_networks_of_this_package_have_no_code_to_check(tmp_path: Path):
    job = job_of("mnist_sweep.training.model.cnn", tmp_path)
    assert job.point.code is None
    check_code(job.settings, job.point.code)

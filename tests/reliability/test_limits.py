"""`timeout_s` and `budget_s` of a task, in the pool and on a node of Ray."""

from __future__ import annotations

import pytest

from support.ray_cluster import needs_ray
from support.real_sweeps import Place, until

TASK = """
import signal, time
def run(seconds=0.0):
    # As native code that does not return: the run's own timer is not heard.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    time.sleep(seconds)
    return {"rmse": seconds}
"""


@pytest.mark.parametrize("launcher", ["pool", pytest.param("ray", marks=needs_ray)])
def test_a_run_that_does_not_hear_its_timer_is_killed_and_resumed(place: Place, launcher: str):
    (place.path / "modules" / "deaf.py").write_text(TASK)
    ended = place.run(
        "-m", "task._target_=deaf.run", "task.seconds=0,30", "timeout_s=2", "name=deaf",
        "objective=rmse", "report=false", "n_jobs=2", f"hydra/launcher={launcher}",
    )  # fmt: skip
    assert ended.code == 1, ended
    assert ended.account == "1 of 2 runs finished, 1 failed"
    assert "stopped after timeout_s=2 s" in ended.out
    assert "again: " not in ended.err
    failed = place.records("deaf")["task=deaf.run,seconds=30,seed=0"]
    assert failed["error"]["message"].startswith("stopped after timeout_s=2 s")
    words = ("task._target_=deaf.run", "name=deaf", "objective=rmse", "report=false")
    no_time = place.run(
        "-m", *words, "task.seconds=1", "budget_s=0.001", f"hydra/launcher={launcher}"
    )
    assert no_time.code == 1
    assert no_time.account == "0 of 1 run finished, 1 not started: budget_s=0.001 s is used up"
    resumed = place.run("resume", "outputs/deaf", "timeout_s=60", "budget_s=600")
    assert resumed.code == 0, resumed
    assert resumed.account == "3 of 3 runs finished (1 earlier)"
    until(place.gone)

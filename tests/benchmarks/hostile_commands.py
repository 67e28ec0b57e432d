"""Command lines that want to break something, each in a process of its own with little memory.

    python tests/benchmarks/hostile_commands.py [--memory-gb 3] [--only WORD]

Prints each command with its exit code, its seconds, the lines that it wrote, and its last line; at
the end how many went wrong: a traceback, an exit code that no command has, escape sequences in the
output, a file outside the working directory, or no end within a minute.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.factories import make_run, write_sweep

LIMIT_S = 60
CODES = {0, 1, 2, 3}
LONG = "x" * 100_000
SETTINGS = [
    "nodes=1e400", "nodes=99999999999999999999", "nodes=-1", "nodes=0x10", "nodes=[1,2",
    "nodes={a:1}", "nodes=${nodes}", "nodes=${oc.env:HOME}", "name=${oc.env:SECRET}",
    "nodes=${oc.decode:x}", "nodes=${.}", "nodes=${now:%Y}", "name=../../outside",
    "name=/etc/hostile", "name=~", "name=.",
    "name=a/../../b", "name=NUL", "name=-x", "'name=a\x1b[31mb'", "name=a\u202eb", f"name={LONG}",
    "name=", "name=' '", f"{LONG}=1", "=1", "layers", "layers=", "layers==2", "+layers=2",
    "~layers", "++layers.a=2", "layers=1 layers=2", "seed=-1", "seed=1e9999", "learning_rate=nan",
    "learning_rate=-inf", "dropout=1", "epochs=0", "batch_size=0", "data=../conf", "data=nowhere",
    "data=csv data.path=/dev/zero", "data=npz data.path=/dev/stdin", "data=csv data.path=/",
    "data=idx data.path=/proc/self", "model=own model._target_=os.system",
    "model=own model._target_=builtins.eval", "model=own model._target_=no.such.thing",
    "model=own model._target_=..x", "task._target_=os._exit", "task._target_=subprocess.run",
    "hydra.launcher=nonsense", "hydra.sweep.dir=/proc/hostile", "hydra.run.dir=/dev/null/x",
    "hydra.job.chdir=true", "hydra.sweep.dir=out/${oc.env:SECRET}",
    "hydra.run.dir=${oc.env:SECRET}",
    "hydra.job.name=${oc.env:SECRET}", "hydra.output_subdir=../../x", "hydra.output_subdir=/tmp/x",
    "--config-dir /dev/null", "--config-name ../../x",
    "--config-path /etc", "hydra.searchpath=[file:///proc]", "trainer=__import__('os')",
    "objective=test.f1.99999", "n_jobs=100000000", "n_jobs=-3", "threads=0", "timeout_s=-1",
]  # fmt: skip
SWEEPS = [
    "layers=1,2 seed=range(0,1000000000)", "seed=range(0,1e18)",
    "nodes=range(1,65536) seed=range(0,65536)",
    "learning_rate=interval(0,1)", "nodes=choice()", "nodes=,", "nodes=1,,2", "nodes=glob(*)",
    "nodes=shuffle(range(1,100000000))", "'points=[nodes=1,nodes]'", "'exclude=[[[[]]]]'",
    "'exclude=[nodes=1]' nodes=1", "points=" + "[" * 500 + "]" * 500,
    "+experiment=study study.repeats=1000000", "+experiment=search search.n_trials=-1", "-m -m",
]  # fmt: skip
DIRECTORIES = [
    "table /dev/zero", "table /proc", "table nowhere", "table sweep --where nodes",
    "table sweep --where",
    "table sweep --sort 'x;drop'", "table sweep --columns ../x", "best sweep --by ''",
    "best sweep --by f1.99999999999", "worst sweep --where 'nodes>1e999'", "compare sweep",
    "compare sweep /dev/zero", "check sweep --baseline /dev/zero", "check sweep --baseline sweep",
    "check nowhere", "predict sweep /dev/zero -o out.csv", "status /dev/zero", "ui /dev/zero",
    "resume /proc", "resume sweep nodes=1,2",
    "export sweep --to ../x", "report sweep --output /proc/x", "data /dev/zero", "tabel sweep",
    "help help", "--completion csh", "baseline sweep -o /proc/x/y",
]  # fmt: skip


def main() -> None:
    """Run all, print, count."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--memory-gb", type=float, default=3)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    quick = "data=digits epochs=1 layers=1 nodes=4 "
    lines = [quick + words for words in SETTINGS]
    lines += ["-m data=digits epochs=1 " + words for words in SWEEPS] + DIRECTORIES
    verdicts: Counter[str] = Counter()
    for line in lines:
        if options.only in line:
            verdicts[run(line, options.memory_gb)] += 1
    print(f"{verdicts.total()} command lines: {dict(verdicts)}")


def run(line: str, memory_gb: float) -> str:
    """Run one command line in an empty directory; print it and say what went wrong."""
    limit_kb = int(memory_gb * 2**20)
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch) / "place"
        place.mkdir()
        write_sweep(place / "sweep", [make_run(n_test=60, n_validation=40, epochs=2)])
        environment = {
            **os.environ, "SECRET": "hunter2", "MNIST_SWEEP_CACHE": str(Path(scratch) / "cache"),
            "XDG_STATE_HOME": str(Path(scratch) / "state"),
        }  # fmt: skip
        began = time.monotonic()
        with subprocess.Popen(
            f"ulimit -d {limit_kb}; exec {sys.executable} -m mnist_sweep {quoted(line)}",
            shell=True, cwd=place, env=environment, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True,
        ) as process:  # fmt: skip
            try:
                output = process.communicate(timeout=LIMIT_S)[0].decode("utf-8", "replace")
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                output = process.communicate()[0].decode("utf-8", "replace")
        seconds = time.monotonic() - began
        outside = {path.name for path in Path(scratch).iterdir()} - {"place", "cache", "state"}
    verdict = (
        "does not end" if seconds > LIMIT_S
        else "traceback" if "Traceback" in output
        else "exit code" if process.returncode not in CODES
        else "escape sequence" if "\x1b" in output or "\u202e" in output
        else "secret" if "hunter2" in output
        else "file outside" if outside
        else "fine"
    )  # fmt: skip
    written = output.rstrip().splitlines()
    last = next((one for one in written if one.startswith("mnist-sweep:")), "".join(written[-1:]))
    figures = f"{process.returncode:4d} {seconds:5.1f} s {len(written):3d} lines"
    print(f"{verdict:12s} {figures}  {line[:55]!r}\n             {last[:150]!r}", flush=True)
    return verdict


def quoted(line: str) -> str:
    """As a shell would need it: only quotes and blanks mean something here."""
    return "".join(
        "\\" + one if one in "$()[]{}*;><&|`~" and "'" not in line else one for one in line
    )


if __name__ == "__main__":
    main()

"""A sweep's directory: claimed, shared on purpose only, and the plan it keeps."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from mnist_sweep.errors import DirectoryError
from mnist_sweep.records.sweep import load
from mnist_sweep.sweeping.plan import commands, directory
from support.sweep_parts import ENVIRONMENT, info_of, plan_of, point_of

PLAN = plan_of(point_of(layers=1), point_of(layers=2))


def note(
    place: Path, overrides: list[str] | None = None, plan: Any = PLAN, **environment: Any
) -> list[str]:
    asked = ["layers=1,2"] if overrides is None else overrides
    words = ("-m", *asked)
    invocation = commands.invocation_of(plan, words, asked, [], {}, {**ENVIRONMENT, **environment})
    return directory.note_invocation(place, invocation)


def test_a_sweep_with_a_name_shares_its_directory(tmp_path: Path):
    assert directory.claim(tmp_path / "a" / "grid", own=False) == tmp_path / "a" / "grid"
    assert directory.claim(tmp_path / "a" / "grid", own=False) == tmp_path / "a" / "grid"


def test_a_sweep_without_a_name_never_shares_one(tmp_path: Path):
    claimed = [directory.claim(tmp_path / "now", own=True) for _ in range(3)]
    assert claimed == [tmp_path / "now", tmp_path / "now-2", tmp_path / "now-3"]
    assert all(path.is_dir() for path in claimed)


def test_sweeps_that_start_in_the_same_moment_get_directories_of_their_own(tmp_path: Path):
    claimed: list[Path] = []
    start = threading.Barrier(8)

    def claim() -> None:
        start.wait()
        claimed.append(directory.claim(tmp_path / "now", own=True))

    threads = [threading.Thread(target=claim) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(claimed)) == 8


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("below", ["", "deep/down"])
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, own: bool, below: str):
    (tmp_path / "file").write_text("in the way")
    place = tmp_path / "file" / (below or "x")
    with pytest.raises(DirectoryError, match=r"Cannot write .*file.*(in the way|is a file)"):
        directory.claim(place, own=own)


def test_a_file_in_the_place_of_the_runs_is_found_before_any_run(tmp_path: Path):
    (tmp_path / "runs").write_text("in the way")
    with pytest.raises(DirectoryError, match="runs: a file of that name is in the way"):
        directory.claim(tmp_path, own=False)


def test_the_plan_tells_what_was_asked_for_and_what_it_became(tmp_path: Path):
    assert note(tmp_path) == []
    content = json.loads((tmp_path / "sweep.json").read_bytes())
    assert (content["schema_version"], content["name"]) == (1, tmp_path.name)
    (invocation,) = content["invocations"]
    assert invocation["overrides"] == ["layers=1,2"]
    assert invocation["git"] == {"sha": "a" * 40, "dirty": False}
    assert invocation["versions"]["keras"] == "3.15.1"
    assert [info["sha256"] for info in invocation["data"].values()] == ["d" * 64]
    assert invocation["points"] == [
        {"run_id": point.run_id, "label": point.label, "overrides": point.overrides}
        for point in PLAN.points
    ]
    assert [missing.run_id for missing in load(tmp_path).missing] == [
        point.run_id for point in PLAN.points
    ]


def test_invocations_add_up(tmp_path: Path):
    note(tmp_path, ["layers=1"])
    note(tmp_path, ["layers=2"])
    found = directory.read(tmp_path).invocations
    assert [one.overrides for one in found] == [("layers=1",), ("layers=2",)]


def test_invocations_at_the_same_time_do_not_lose_each_other(tmp_path: Path):
    threads = [threading.Thread(target=note, args=(tmp_path, [f"seed={i}"])) for i in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asked = [one.overrides[0] for one in directory.read(tmp_path).invocations]
    assert sorted(asked) == sorted(f"seed={i}" for i in range(12))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"keras": "3.16.0"}, "keras is 3.16.0; this directory's last sweep ran with 3.15.1."),
        ({"tensorflow": "3.0"}, "tensorflow is 3.0"),
        ({"mnist_sweep": "0.2.0"}, "mnist_sweep is 0.2.0"),
        ({"git_sha": "b" * 40}, "The code (git commit) differs"),
        ({"cpu": "another", "git_dirty": True}, ""),
    ],
)
def test_what_differs_from_the_last_sweep_is_noticed(
    tmp_path: Path, change: dict[str, Any], words: str
):
    note(tmp_path)
    notices = note(tmp_path, **change)
    assert len(notices) == (1 if words else 0)
    assert words in "".join(notices)
    assert note(tmp_path, **change) == []


def test_other_data_are_noticed(tmp_path: Path):
    note(tmp_path)
    other = plan_of(point_of(info_of(sha256="e" * 64)), sha256="e" * 64)
    assert note(tmp_path, plan=other) == [
        "The data differ from this directory's last sweep, so its runs are not reused."
    ]


@pytest.mark.parametrize(
    "content",
    [
        "", "{", "[]", "null", "3", "{}", '{"schema_version": 1}', "\x00\x01",
        '{"schema_version": 1, "invocations": {}}', '{"schema_version": "1", "invocations": []}',
        '{"schema_version": 1, "invocations": [3]}',
        '{"schema_version": 1, "invocations": [{"data": 3, "versions": {}, "git": {}}]}',
        "[" * 100_000,
    ],
)  # fmt: skip
def test_a_damaged_plan_is_refused_and_left_alone(tmp_path: Path, content: str):
    (tmp_path / "sweep.json").write_text(content)
    with pytest.raises(
        DirectoryError, match=r"sweep.json cannot be used .*Nothing was run or changed"
    ):
        note(tmp_path)
    assert (tmp_path / "sweep.json").read_text() == content


def test_a_newer_plan_is_refused_and_left_alone(tmp_path: Path):
    text = '{"schema_version": 2, "invocations": [], "news": 1}'
    (tmp_path / "sweep.json").write_text(text)
    with pytest.raises(
        DirectoryError, match=r"schema_version 2 is newer than 1.*update mnist-sweep"
    ):
        note(tmp_path)
    assert (tmp_path / "sweep.json").read_text() == text


def test_the_plan_gives_back_the_data_it_chose(tmp_path: Path):
    note(tmp_path)
    key = PLAN.points[0].data_key
    assert directory.dataset_of(tmp_path, key) == PLAN.datasets[key]
    with pytest.raises(DirectoryError, match="holds no plan with these data settings"):
        directory.dataset_of(tmp_path, "other")


def test_what_a_newer_program_added_to_the_plan_is_kept(tmp_path: Path):
    note(tmp_path)
    path = tmp_path / "sweep.json"
    content = json.loads(path.read_bytes())
    content["host"] = content["invocations"][0]["host"] = "a.b"
    path.write_text(json.dumps(content))
    note(tmp_path)
    content = json.loads(path.read_bytes())
    assert [one.get("host") for one in content["invocations"]] == ["a.b", None]
    assert content["host"] == "a.b"


def test_a_repeated_command_refuses_other_data_and_names_both(tmp_path: Path):
    note(tmp_path)
    before = directory.read(tmp_path).invocations[0]
    directory.check_same_data(tmp_path, before, PLAN)
    other = info_of(sha256="e" * 64, source="bundled digits")
    with pytest.raises(DirectoryError, match=r"a folder.*bundled digits.*MNIST_SWEEP_DATA"):
        directory.check_same_data(
            tmp_path, before, plan_of(point_of(other), sha256="e" * 64, source="bundled digits")
        )


def test_an_edited_network_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    module = tmp_path / "own_noticed_net.py"
    module.write_text("def build(): return 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    model = {"_target_": "own_noticed_net.build"}

    def again() -> list[str]:
        return note(tmp_path, plan=plan_of(point_of(model=model), point_of()))

    assert again() == again() == []
    module.write_text("def build(): return 2\n")
    (notice,) = again()
    assert notice.startswith(
        "The code of a network or task differs from this directory's last sweep"
    )
    assert again() == []

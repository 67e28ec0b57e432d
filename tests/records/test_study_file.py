"""study.json comes back as it was written, and a damaged one is one clear error."""

import json

import pytest

from mnist_sweep.analysis.uncertainty import select_again
from mnist_sweep.errors import DirectoryError
from mnist_sweep.records.study_file import Stage, Study, load_study
from mnist_sweep.records.study_file import write_study as write
from mnist_sweep.records.sweep import load
from support.factories import write_study

SMALL = {"n_test": 200, "n_validation": 200}


def test_a_study_reads_back_as_it_was_written(tmp_path):
    study = write_study(tmp_path / "study", repeats=1, **SMALL)
    assert load_study(tmp_path / "study") == study


def test_an_ordinary_sweep_has_no_study(tmp_path):
    assert load_study(tmp_path) is None


def test_a_stored_selection_can_be_made_again(tmp_path):
    study = write_study(tmp_path / "study", repeats=2, **SMALL)
    stored = json.loads((tmp_path / "study" / "study.json").read_text())["stages"][0]["selection"]
    again = select_again(load(tmp_path / "study"), stored).to_json()
    assert again == study.stages[0].selection == stored


def test_unknown_fields_are_passed_over(tmp_path):
    value = {"stages": [{"name": "a", "later": 1}], "later": {}}
    (tmp_path / "study.json").write_text(json.dumps(value))
    assert load_study(tmp_path) == Study(stages=(Stage(name="a"),))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "the file is empty"),
        ("[]", "study.json"),
        ('{"schema_version": 2, "stages": []}', "newer than 1"),
        ('{"stages": [{"name": "a", "of": "b"}]}', "not an earlier stage"),
        ('{"stages": [{"name": "a", "status": "lost"}]}', "status"),
        ('{"stages": [{"name": "a", "selection": {"split": "test"}}]}', "configuration_id"),
    ],
)
def test_what_is_no_study_is_one_clear_error(tmp_path, content, reason):
    (tmp_path / "study.json").write_text(content)
    with pytest.raises(DirectoryError, match=reason):
        load_study(tmp_path)


def test_a_directory_in_the_way_is_a_clear_error(tmp_path):
    (tmp_path / "study.json").mkdir()
    with pytest.raises(DirectoryError, match=r"study\.json"):
        load_study(tmp_path)
    with pytest.raises(DirectoryError, match=r"study\.json"):
        write(tmp_path, Study(stages=()))

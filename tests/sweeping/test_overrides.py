"""Overrides of the command line: all that is wrong is found before anything is composed."""

from __future__ import annotations

import pytest

from mnist_sweep.errors import SettingsError, UsageError
from mnist_sweep.settings import SETTINGS, known_keys
from mnist_sweep.sweeping.plan import checks, overrides
from support.setting_values import override_texts


def complaint(*words: str) -> list[str]:
    """The lines of the complaint about some overrides; none if there is nothing to complain of."""
    try:
        checks.check(overrides.parse(words))
    except SettingsError as error:
        return [line.strip() for line in str(error).splitlines()[1:]]
    return []


@pytest.mark.parametrize(
    "word",
    [
        "layers=2", "layers=1,2", "layers=range(1,3)", "++layers=2", "dropout=choice(0,0.5)",
        "name=2024", "name='a b'", "data=digits", "data=digits,mnist", "+experiment=smoke",
        "model.filters=3", "+model.own=3", "~model.layers", "model={_target_: mine.build}",
        "early_stopping={patience: 3}", "early_stopping={patience: 3},{patience: 5}",
        "early_stopping.patience=1,2", "data.path='/a/b c'", "layers=${nodes}", "n_jobs=null",
        "hydra/launcher=basic", "hydra.sweep.dir=/elsewhere", "hydra.run.dir=x",
        "hydra.mode=MULTIRUN", "weight_decay=null", "seed=range(0,3)", "learning_rate=1e-3",
        "nodes=sort(300,100)", "nodes=shuffle(100,300)",
    ],
)  # fmt: skip
def test_what_is_fine_passes(word: str):
    assert complaint(word) == []


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("lyers=2", "lyers=2: no such setting; did you mean layers?"),
        ("+lyers=2", "lyers=2: no such setting; did you mean layers?"),
        ("++lyers=2", "lyers=2: no such setting; did you mean layers?"),
        ("early_stopping.patiense=2", "did you mean early_stopping.patience?"),
        ("layers=two", "layers=two: must be a whole number from 1 to 16"),
        ("layers=1.5", "layers=1.5: must be a whole number"),
        ("layers=null", "layers=null: must not be null"),
        ("nodes='a b'", "nodes=a b: must be a whole number"),
        ("layers=1,17", "layers=17: must be a whole number from 1 to 16"),
        ("layers=range(0,0)", "layers=range(0,0): gives no value at all"),
        ("layers=range(3,1)", "gives no value at all"),
        ("layers=range(1,3,0)", "a range whose step is 0 never ends"),
        ("dropout=interval(0,1)", "dropout=interval(0,1): an interval has no end of values"),
        ("data=range(0,0)", "data=range(0,0): gives no value at all"),
        ("~layers", "~layers=: a setting cannot be removed"),
        ("~data", "~data=: there must be one"),
        ("data=null", "data=null: there must be one"),
        ("model=null", "model=null: there must be one"),
        ("group/sub=x", "group/sub=x: no such config group; known: data, model, trainer"),
        ("early_stopping=3", "early_stopping=3: has settings of its own: set early_stopping.pat"),
        ("early_stopping={patience: -1}", "early_stopping.patience=-1: must be a whole number"),
        ("early_stopping={patience: 1},{x: 2}", "early_stopping.x=2: no such setting"),
        ("data={name: minst}", "data.name=minst: must be one of"),
        ("learning_rate=nan", "learning_rate=nan: must be a number above 0"),
        ("seed=range(0,1000000000000)", "seed=999999999999: must be a whole number from 0 to"),
    ],
)
def test_what_is_wrong_is_named_with_what_is_allowed(word: str, words: str):
    found = complaint(word)
    assert len(found) == 1
    assert words in found[0]


def test_all_that_is_wrong_is_listed_at_once_and_each_thing_once():
    assert [line.partition(":")[0] for line in complaint(
        "lyers=2", "layers=0,1,17,17", "dropout=1", "dropout=1", "nodes=4"
    )] == ["lyers=2", "layers=0", "layers=17", "dropout=1"]  # fmt: skip


def test_a_message_counts_what_is_wrong():
    with pytest.raises(SettingsError, match=r"^Nothing was run: a setting is wrong"):
        checks.raise_for(["one"])
    with pytest.raises(SettingsError, match=r"^Nothing was run: 2 settings are wrong"):
        checks.raise_for(["one", "two", "one"])
    checks.raise_for([])


@pytest.mark.parametrize("word", ["layers", "layers=[", "layers=choice()", "-x", "a b=c=d ,"])
def test_what_is_no_override_is_refused_by_name(word: str):
    with pytest.raises(UsageError) as refused:
        overrides.parse(["nodes=1", word])
    assert repr(word) in str(refused.value)
    assert "Expected key=value" in str(refused.value)


def test_values_are_plain():
    def values(word: str) -> list[object]:
        (override,) = overrides.parse([word])
        return [one.value() for one in overrides.axis_of(override)]

    assert values("layers=1,2") == [1, 2]
    assert values("name='a b'") == ["a b"]
    assert values("seed=range(0,4,2)") == [0, 2]


def test_a_long_range_is_checked_without_being_expanded():
    assert complaint(f"seed=range(0,{2**32})") == []
    assert complaint(f"seed=range({10**15},0,-1)") == [
        f"seed={10**15}: must be a whole number from 0 to {2**32 - 1}"
    ]


def test_every_key_of_the_schema_passes_with_its_default_and_with_others():
    for key, one in SETTINGS.items():
        if one.type not in (dict, list) and one.default is not None:
            word = f"{key}='{one.default}'" if one.type is str else f"{key}={one.default}".lower()
            assert complaint(word) == []
    for key in known_keys():
        assert complaint(f"{key}={','.join(override_texts(key))}") == []

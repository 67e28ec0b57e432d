"""Hydra's machinery is honoured or refused by name; docs/reference/hydra.md says which."""

from __future__ import annotations

import logging
import re
from dataclasses import fields
from pathlib import Path

import hydra
import pytest
from hydra.conf import HydraConf, JobConf
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from mnist_sweep.errors import MnistSweepError, SettingsError
from mnist_sweep.sweeping import app
from mnist_sweep.sweeping.launch import processes
from mnist_sweep.sweeping.launch.worker import write_hydra_files
from mnist_sweep.sweeping.plan.checks import check_honoured, check_secrets
from mnist_sweep.sweeping.plan.estimate import Preview
from mnist_sweep.sweeping.search.sweeper import SearchPreview
from support.sweep_parts import job_of

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "hydra.md"
HYDRAS_PAGES = (  # of Hydra 1.3's documentation: website/versioned_docs/version-1.3
    "advanced/compose_api", "advanced/decorating_main", "advanced/defaults_list",
    "advanced/hydra-command-line-flags", "advanced/jupyter_notebooks",
    "advanced/overriding_packages", "advanced/packaging", "advanced/search_path",
    "advanced/terminology", "advanced/unit_testing",
    "advanced/instantiate_objects/config_files", "advanced/instantiate_objects/overview",
    "advanced/instantiate_objects/structured_config",
    "advanced/override_grammar/basic", "advanced/override_grammar/extended",
    "advanced/plugins/develop", "advanced/plugins/intro",
    "configure_hydra/Intro", "configure_hydra/app_help", "configure_hydra/job",
    "configure_hydra/logging", "configure_hydra/workdir",
    "development/documentation", "development/overview", "development/release",
    "development/style_guide", "development/testing",
    "experimental/callbacks", "experimental/intro", "experimental/rerun",
    "intro",
    "patterns/configuring_experiments", "patterns/configuring_plugins",
    "patterns/extending_configs", "patterns/select_multiple_configs_from_config_group",
    "patterns/specializing_config", "patterns/write_protect_config_node",
    "plugins/ax_sweeper", "plugins/colorlog", "plugins/joblib_launcher",
    "plugins/nevergrad_sweeper", "plugins/optuna_sweeper", "plugins/ray_launcher",
    "plugins/rq_launcher", "plugins/submitit_launcher",
    "tutorials/basic/running_your_app/2_multirun",
    "tutorials/basic/running_your_app/3_working_directory",
    "tutorials/basic/running_your_app/4_logging", "tutorials/basic/running_your_app/5_debugging",
    "tutorials/basic/running_your_app/6_tab_completion",
    "tutorials/basic/your_first_app/1_simple_cli", "tutorials/basic/your_first_app/2_config_file",
    "tutorials/basic/your_first_app/3_using_config",
    "tutorials/basic/your_first_app/4_config_groups", "tutorials/basic/your_first_app/5_defaults",
    "tutorials/basic/your_first_app/6_composition",
    "tutorials/intro",
    "tutorials/structured_config/0_intro", "tutorials/structured_config/10_config_store",
    "tutorials/structured_config/1_minimal_example",
    "tutorials/structured_config/2_hierarchical_static_config",
    "tutorials/structured_config/3_config_groups", "tutorials/structured_config/4_defaults",
    "tutorials/structured_config/5_schema",
    "upgrades/0.11_to_1.0/adding_a_package_directive", "upgrades/0.11_to_1.0/config_path_changes",
    "upgrades/0.11_to_1.0/object_instantiation_changes",
    "upgrades/0.11_to_1.0/strict_mode_flag_deprecated",
    "upgrades/1.0_to_1.1/automatic_schema_matching",
    "upgrades/1.0_to_1.1/changes_to_default_composition_order",
    "upgrades/1.0_to_1.1/changes_to_package_header",
    "upgrades/1.0_to_1.1/defaults_list_interpolation_changes",
    "upgrades/1.0_to_1.1/defaults_list_override", "upgrades/1.0_to_1.1/hydra_main_config_path",
    "upgrades/1.1_to_1.2/changes_to_job_working_dir",
    "upgrades/1.1_to_1.2/changes_to_sweeper_config", "upgrades/1.1_to_1.2/hydra_main_config_path",
    "upgrades/intro", "upgrades/version_base",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(processes, "start_fork_server", lambda *_: None)
    monkeypatch.setattr(processes, "call", lambda *_: ([], []))  # of checked networks
    for name, text in {
        "hparams/deep": "# @package _global_\nlayers: 3\n",
        "hparams/flat": "# @package _global_\nnodes: 8\n",
        "experiment/basic": "# @package _global_\ndefaults: [{override /hydra/launcher: basic}]\n",
        "experiment/drawn": (
            "# @package _global_\ndefaults: [{override /hydra/sweeper: search}]\n"
            "search: {sampler: random}\nhydra: {sweeper: {params: {nodes: 'interval(2,9)'}}}\n"
        ),
        "model/hidden": "_target_: mnist_sweep.training.model.cnn\ntoken: ${oc.env:HOME}\n",
        "swept": (
            "defaults: [config, _self_]\n"
            "hydra: {sweeper: {params: {+model.token: '${oc.env:HOME}'}}}\n"
        ),
        "points": (
            "defaults: [config, _self_]\n"
            "hydra: {sweeper: {points: ['+model.token=${oc.env:HOME}']}}\n"
        ),
        "unchosen": "defaults: [config, {override model: '???'}, _self_]\n",
        "several": (
            "defaults: [config, _self_]\n"
            "hydra: {mode: MULTIRUN, sweeper: {params: {layers: '1,2'}}}"
        ),
    }.items():
        path = tmp_path / "mine" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def planned(*words: str) -> Preview:
    found = app.run([*words, "plan=true", "data=digits"])
    assert isinstance(found, Preview)
    return found


def labels(*words: str) -> list[str]:
    return [one.label.removesuffix(",seed=0") for one in planned(*words).plan.points]


def test_a_group_of_ones_own_is_swept():
    mine = ("--config-dir", "mine", "-m")
    assert labels(*mine, "+hparams=deep,flat") == ["layers=3,nodes=100", "layers=1,nodes=8"]
    assert labels(*mine, "+hparams=glob(d*)") == ["layers=3,nodes=100"]
    with pytest.raises(MnistSweepError, match="hparams=deep: no such setting"):
        planned("-m", "+hparams=deep")


def test_an_experiment_chooses_launcher_and_sweeper_and_the_command_line_wins():
    mine = ("--config-dir", "mine", "-m")
    chosen = "hydra/job_logging=disabled"  # which only Hydra's own launchers follow
    assert isinstance(planned(*mine, "+experiment=basic", chosen), Preview)
    with pytest.raises(MnistSweepError, match="hydra/job_logging=disabled"):
        planned(*mine, "+experiment=basic", chosen, "hydra/launcher=pool")
    assert isinstance(planned(*mine, "+experiment=drawn"), SearchPreview)


def test_a_search_says_too_which_word_a_later_one_replaces():
    words = ("hydra/sweeper=search", "search.sampler=random", "layers=1,2", "nodes=8", "nodes=9")
    assert planned("-m", *words).plan.notes() == [
        "nodes=8 has no effect: it is replaced by a later nodes=9."
    ]


def test_a_file_with_multirun_needs_no_m():
    assert len(labels("--config-dir", "mine", "--config-name", "several")) == 2
    assert len(labels("hydra.mode=MULTIRUN", "layers=1,2")) == 2


def test_a_group_that_a_file_leaves_open_is_asked_for():
    mine = ("--config-dir", "mine", "--config-name", "unchosen", "-m")
    with pytest.raises(MnistSweepError, match="You must specify 'model'"):
        planned(*mine)
    assert labels(*mine, "model=mlp") == ["layers=1,nodes=100"]


def test_a_sweeps_directory_may_refer_to_what_is_the_same_for_all(tmp_path: Path):
    found = planned("-m", "hydra.sweep.dir=${hydra:runtime.cwd}/out/${layers}", "layers=2")
    assert found.directory == tmp_path / "out" / "2"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["hydra.sweep.dir=out/${layers}", "layers=1,2"], "layers: differs between points"),
        (["name=n${layers}", "points=[[layers=1],[layers=2]]"], "^layers: differs between points"),
        (["hydra.sweep.dir=out/${nodes}", "nodes=interval(1,2)", "hydra/sweeper=search",
          "search.sampler=random"], "nodes: differs between points"),
        (["data/x.csv"], "it has no =. Quote a value with spaces"),
        (["hydra.launcher=5"], "choose it by hydra/launcher=NAME"),
        (["hydra.launcher=null"], "choose it by hydra/launcher=NAME"),
        (["hydra/launcher=null"], "there must be one"),
        (["hydra/launcher=nonsense"], "no such choice"),
        (["hydra.launcher._target_=nonsense"], "Error locating target"),
        (["+hydra.launcher.foo=1"], "takes no arguments"),
        (["hydra/sweeper=basic"], "other sweepers are not supported"),
        (["hydra.sweeper.params={layers: 2}"], "hydra.sweeper.params.layers"),
        (["hydra.verbose=3"], "must be true, false, or the names of loggers"),
        (["--config-dir", "mine", "+hparams@x=deep"], "Key 'x' not in"),
        (["+model.token=${oc.env:HOME}"], "let your own code read a secret"),
        (["hydra.sweep.dir=out/${oc.env:HOME}"], "hydra.sweep.dir=out/.*takes its value from"),
        (["hydra.run.dir=out/${oc.env:USER,x}"], "hydra.run.dir.*takes its value from"),
        (["hydra.job.name='${oc.decode:${oc.env:HOME}}'"], "hydra.job.name.*takes its value from"),
        (["hydra.sweep.subdir=${oc.env:HOME}"], "hydra.sweep.subdir.*takes its value from"),
        (["hydra.output_subdir=${oc.env:HOME}"], "hydra.output_subdir.*takes its value from"),
        (["hydra/launcher=submitit_local", "hydra.launcher.submitit_folder=${oc.env:HOME}"],
         "hydra.launcher.submitit_folder.*takes its value from"),
        (["+hydra.job.env_set.X=${oc.env:HOME}", "name='${hydra:job.env_set.X}'"],
         "^name: takes its value from"),
    ],
)  # fmt: skip
def test_what_cannot_be_followed_is_refused_in_a_sentence(words: list[str], message: str):
    with pytest.raises(MnistSweepError, match=message):
        planned("-m", *words)


def hydra_node(hydra_master, *words: str):
    return hydra_master(*words).master.hydra


@pytest.mark.parametrize(
    ("word", "message", "stock"),
    [
        ("hydra.sweep.subdir=x", "hydra.sweep.subdir", False),
        ("hydra.job.config.override_dirname.kv_sep=-", "override_dirname", False),
        ("hydra.mode=RUN", "hydra.mode=RUN", False),
        ("+hydra.job.env_set.X=1", "hydra.job.env_set", True),
        ("hydra.job.env_copy=[HOME]", "hydra.job.env_copy", True),
        ("hydra/job_logging=disabled", "hydra/job_logging=disabled", True),
        ("+hydra.callbacks.x._target_=hydra.experimental.callbacks.LogJobReturnCallback",
         "on_job_end not called", True),
        ("+hydra.callbacks.x._target_=support.callbacks.Inherits", "on_job_start not called", True),
        ("+hydra.callbacks.x=null", "", True),
        ("+hydra.callbacks.x._target_=hydra.experimental.callback.Callback", "", True),
        ("hydra.output_subdir=null", "", True),
        ("hydra.output_subdir=conf/../x", "directory within each run's", False),
        ("hydra.output_subdir=/tmp/x", "directory within each run's", False),
        ("hydra.output_subdir=x/y", "", True),
        ("hydra.job.chdir=true", "", True),
    ],
)  # fmt: skip
def test_settings_without_effect_are_refused(hydra_master, word: str, message: str, stock: bool):
    node = hydra_node(hydra_master, word)
    if message:
        with pytest.raises(MnistSweepError, match=message):
            check_honoured(node, stock=False)
    if stock or not message:
        check_honoured(node, stock=True)


def test_a_sweep_in_a_file_may_be_added_to_on_the_command_line():
    assert labels("-m", "+hydra.sweeper.params.layers='1,2'") == [
        "layers=1,nodes=100", "layers=2,nodes=100",
    ]  # fmt: skip


def test_a_file_for_one_choice_of_another_group_is_used_there_alone(tmp_path: Path):
    mine = tmp_path / "mine"
    (mine / "only").mkdir()
    (mine / "only" / "mlp.yaml").write_text("# @package _global_\nnodes: 11\n")
    chosen = "defaults: [config, {optional only@_global_: '${model}'}, _self_]\n"
    (mine / "specialised.yaml").write_text(chosen)
    found = labels("--config-dir", "mine", "--config-name", "specialised", "-m", "model=mlp,cnn")
    assert [one.rpartition("nodes=")[2] for one in found] == ["11", "100"]


def test_a_secret_in_a_file_is_refused_and_a_place_is_not():
    settings = {
        "hydra": {"launcher": {"x": "${oc.env:A}"}},
        "data": {"path": "${oc.env:A}/x"},
        "name": "n",
    }
    check_secrets(OmegaConf.create(settings))
    with pytest.raises(MnistSweepError, match=r"model\.token: takes its value from an environment"):
        check_secrets(OmegaConf.create({**settings, "model": {"token": "a${oc.env:A,x}"}}))
    with pytest.raises(MnistSweepError, match=r"^name: "):
        check_secrets(OmegaConf.create({**settings, "name": "${hydra.launcher}"}))


@pytest.mark.parametrize(
    "words",
    [["model=mlp,hidden"], ["--config-name", "swept"], ["--config-name", "points"]],
)
def test_a_secret_in_a_file_that_only_points_read_is_refused(words: list[str]):
    with pytest.raises(MnistSweepError, match="takes its value from an environment"):
        planned("--config-dir", "mine", "-m", *words)


def test_a_byte_order_mark_is_found(tmp_path: Path):
    (tmp_path / "mine" / "bom.yaml").write_bytes(b"\xef\xbb\xbf# @package _global_\nlayers: 3\n")
    with pytest.raises(MnistSweepError, match=r"bom\.yaml begins with a byte order mark"):
        planned("--config-dir", "mine", "-m")


def test_output_subdir_says_where_hydras_files_go(tmp_path: Path):
    node = {"overrides": {}, "runtime": {}}
    for name, written in ((".hydra", ".hydra"), ("conf", "conf"), (None, None)):
        job = job_of(tmp_path / str(name), hydra={**node, "output_subdir": name})
        write_hydra_files(job)
        there = [path.parent.name for path in (tmp_path / str(name)).rglob("config.yaml")]
        assert there == ([written] if written else [])


def test_within_another_hydra_program_its_own_state_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(GlobalHydra.instance(), "hydra", None)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "app.yaml").write_text("x: 1\n")
    handlers = logging.root.handlers
    with hydra.initialize_config_dir(str(tmp_path / "other"), version_base="1.3"):
        monkeypatch.setattr(HydraConfig.instance(), "cfg", None)
        HydraConfig.instance().set_config(hydra.compose("app", return_hydra_config=True))
        before = HydraConfig.get()
        assert labels("-m", "layers=1,2") == ["layers=1,nodes=100", "layers=2,nodes=100"]
        with pytest.raises(SettingsError):
            planned("layers=99")
        assert HydraConfig.get() is before
        assert hydra.compose("app").x == 1
    assert logging.root.handlers == handlers


def test_every_setting_of_hydras_is_on_the_page():
    page = PAGE.read_text("utf-8")
    names = {f"hydra.{one.name}" for one in fields(HydraConf)} - {"hydra.job", "hydra.run"}
    names |= {f"hydra.job.{one.name}" for one in fields(JobConf)}
    assert sorted(name for name in names if f"`{name}" not in page) == []
    groups = {f"hydra/{group}" for one in HydraConf().defaults for group in one}
    assert [
        name for name in sorted(groups)
        if f"`{name}`" not in page and f"`{name.replace('/', '.')}`" not in page
    ] == []  # fmt: skip


def test_every_page_of_hydras_documentation_has_one_answer():
    section = PAGE.read_text("utf-8").partition("page by page")[2]
    answers = r"^\| `(.+?)` \| (?:honoured|refused|not applicable)\b"
    assert sorted(re.findall(answers, section, re.MULTILINE)) == sorted(HYDRAS_PAGES)

"""The pages tell the truth: links lead somewhere, commands exist, and lists are complete."""

from __future__ import annotations

import ast
import importlib
import re
import tomllib
from pathlib import Path

import click
import pytest
import yaml

from mnist_sweep.cli import SUBCOMMANDS
from mnist_sweep.cli.output import ExitCode
from mnist_sweep.errors import SettingsError
from mnist_sweep.metrics import definitions
from mnist_sweep.plugins import GROUPS as ENTRY_POINTS
from mnist_sweep.records.record import Record
from mnist_sweep.settings.schema import _result
from mnist_sweep.settings.setting import Setting
from mnist_sweep.sweeping.plan.checks import check
from mnist_sweep.sweeping.plan.overrides import GROUPS, parse
from mnist_sweep.sweeping.plan.sets import for_hydra
from support.doc_pages import CALLS, PAGES, ROOT, Block, blocks

HYDRAS_OPTIONS = {"-m": 0, "--multirun": 0, "--config-dir": 1, "--config-name": 1, "--cfg": 1}
"""Options of Hydra's that pages may show -> how many words follow."""
ANSWERS = ({"--help"}, {"--version"}, {"--hydra-help"})


def _check_overrides(words: list[str]) -> None:
    """Refuse what the program would refuse before it composes anything."""
    overrides, given = [], iter(words)
    for word in given:
        if word.startswith("-"):
            assert word in HYDRAS_OPTIONS, f"no such option: {word}"
            for _ in range(HYDRAS_OPTIONS[word]):
                next(given)
        else:
            overrides.append(word)
    is_search = {"hydra/sweeper=search", "+experiment=search"} & {*overrides}
    check(parse(map(for_hydra, overrides)), intervals=bool(is_search))
    for override in overrides:
        group, _, choices = override.lstrip("+").partition("=")
        if group in GROUPS and "--config-dir" not in words:
            for choice in choices.split(","):
                assert (ROOT / "conf" / group / f"{choice}.yaml").is_file(), override


@pytest.mark.parametrize(("page", "words"), CALLS, ids=[f"{p}: {' '.join(w)}" for p, w in CALLS])
def test_every_command_shown_is_understood(page: str, words: tuple[str, ...]):
    name, rest = (words[0] if words else ""), list(words[1:])
    if name == "help" or {*words} in ANSWERS:
        assert {*words} in ANSWERS or {*rest} <= {*SUBCOMMANDS}
    elif name in SUBCOMMANDS:
        command = getattr(importlib.import_module(SUBCOMMANDS[name]), name)
        context = command.make_context(name, rest)
        if name == "resume":
            _check_overrides(list(context.params["overrides"]))
    elif words == ("-m", "lyers=2", "nodes=0,50", "dropout=1.5"):
        assert page == "docs/how-to/sweep.md"  # shown as what is refused
    else:
        _check_overrides(list(words))


def test_the_check_of_commands_finds_mistakes():
    assert len(CALLS) > 60
    for words in (["-m", "lyers=2"], ["nodes=0"], ["model=mpl"], ["--nosuch"]):
        with pytest.raises((SettingsError, AssertionError)):
            _check_overrides(words)
    table = importlib.import_module(SUBCOMMANDS["table"]).table
    with pytest.raises(click.UsageError):
        table.make_context("table", ["outputs/grid", "--srt", "layers"])


@pytest.mark.parametrize("page", PAGES, ids=[page.relative_to(ROOT).as_posix() for page in PAGES])
def test_every_relative_link_resolves(page: Path):
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("https://", "http://")):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), f"{page.name}: {target}"
        if anchor:
            assert anchor in _anchors(found), f"{page.name}: no heading {target}"


def _anchors(page: Path) -> set[str]:
    """The names that GitHub gives to a page's headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    kept = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in kept}


@pytest.mark.parametrize("block", blocks("python", "yaml", "toml"), ids=str)
def test_every_block_of_code_can_be_parsed(block: Block):
    {"python": ast.parse, "yaml": yaml.safe_load, "toml": tomllib.loads}[block.language](block.text)


def test_the_reference_lists_every_command_exit_code_metric_and_field():
    commands = (ROOT / "docs/reference/commands.md").read_text("utf-8")
    for name in SUBCOMMANDS:
        assert re.search(rf"`{name}[ `]", commands), name
    for code in ExitCode:
        assert f"| {code:d} |" in commands
    for metric in definitions():
        assert f"`{metric}`" in commands, metric
    files = (ROOT / "docs/reference/files.md").read_text("utf-8")
    for field in Record.model_fields:
        assert f"`{field}`" in files, field


def test_the_architecture_names_every_group_of_entry_points():
    text = (ROOT / "docs/architecture.md").read_text("utf-8")
    for group in ENTRY_POINTS:
        assert f"mnist_sweep.{group}" in text, group


def test_the_setting_that_the_architecture_adds_can_be_declared():
    text = (ROOT / "docs/architecture.md").read_text("utf-8")
    code = re.search(r"label_smoothing: float = (_result\(.*?\n\))\n", text, re.DOTALL)
    field = eval(code[1], {"_result": _result})
    setting = Setting(
        key="label_smoothing", type=float, optional=False, default=field.default, **field.metadata
    )
    assert setting.violation(0.1) is None
    assert setting.violation(1.0) == "must be a number from 0 to below 1"


def test_every_path_that_the_architecture_names_exists():
    text = (ROOT / "docs/architecture.md").read_text("utf-8")
    for path in re.findall(r"`((?:[a-z_]+/)+(?:[a-z_0-9]+\.(?:py|md|yaml))?)`", text):
        # `model/` and `hydra/launcher/` are folders of a user's own, beside those in conf.
        places = (ROOT, ROOT / "mnist_sweep", ROOT / "mnist_sweep/sweeping", ROOT / "conf")
        assert any((place / path).exists() for place in places), path


CURRENT = [page for page in PAGES if page.name != "CHANGELOG.md"]  # that names what there was


@pytest.mark.parametrize(
    "page", CURRENT, ids=[page.relative_to(ROOT).as_posix() for page in CURRENT]
)
def test_every_file_of_the_repository_that_a_page_names_exists(page: Path):
    pattern = r"`((?:tests|conf|docs|mnist_sweep)/[\w./]+)[` ]"
    for path in re.findall(pattern, page.read_text("utf-8")):
        assert (ROOT / path).exists() or path.endswith("NAME.yaml"), path


def test_the_readme_is_short_and_has_the_two_commands():
    lines = (ROOT / "README.md").read_text("utf-8").splitlines()
    assert len(lines) <= 150
    for marker in ("<!-- run -->", "<!-- test -->"):
        place = lines.index(marker)
        assert lines[place + 1] == "```sh"
        assert lines[place + 3] == "```"

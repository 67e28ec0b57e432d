"""The screen of `--help`, and completion in bash, zsh and fish.

Both do without Hydra: its import takes longer than all else, and its own completion knows neither
subcommands nor directories. `--completion SHELL` prints a script, which asks `--complete` what may
follow the words so far.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mnist_sweep.command import conf_directory
from mnist_sweep.errors import UsageError
from mnist_sweep.settings import SETTINGS
from mnist_sweep.settings.reference import help_text

SCRIPTS = {
    "bash": """\
_mnist_sweep() {
    local IFS=$'\\n'
    COMPREPLY=($("$1" --complete bash "$COMP_CWORD" "${COMP_WORDS[@]}" 2>/dev/null))
}
complete -o nospace -F _mnist_sweep mnist-sweep
""",
    "zsh": """\
_mnist_sweep() {
    local -a found
    found=("${(@f)$(mnist-sweep --complete zsh $((CURRENT - 1)) "${words[@]}" 2>/dev/null)}")
    compadd -Q -S '' -- ${found:#}
}
compdef _mnist_sweep mnist-sweep
""",
    "fish": """\
function __mnist_sweep
    set -l words (commandline -opc) (commandline -ct)
    mnist-sweep --complete fish (math (count $words) - 1) $words 2>/dev/null
end
complete -c mnist-sweep -f -a '(__mnist_sweep)'
""",
}
_OPTIONS = (
    "--help", "--version", "--quiet", "--verbose", "--multirun", "--cfg", "--config-dir",
    "--config-name", "--hydra-help", "--completion",
)  # fmt: skip


def screen() -> str:
    """How the program is called, the config groups, and every setting with its default.

    With further words (`--help layers=2`) Hydra shows it, from the same file.
    """
    import yaml

    parts = yaml.safe_load((conf_directory() / "hydra/help/screen.yaml").read_text("utf-8"))
    groups = {group.lstrip("+"): names for group, names in config_groups().items()}
    shown = [
        f"{group}: {', '.join(names)}\n" for group, names in groups.items() if "hydra" not in group
    ]
    text = str(parts["template"])
    for place, value in {
        "${hydra.help.header}": parts["header"],
        "$APP_CONFIG_GROUPS": "".join(shown),
        "${settings_help:}": help_text(),
        "${hydra.help.footer}": parts["footer"],
    }.items():
        text = text.replace(place, value)
    return text


def script(shell: str) -> str:
    """What makes a shell complete this program's words."""
    if shell not in SCRIPTS:
        raise UsageError(
            f"Expected --completion {'|'.join(SCRIPTS)}, got {shell!r}. For bash, add this line to "
            '~/.bashrc: eval "$(mnist-sweep --completion bash)"'
        )
    return SCRIPTS[shell]


def complete(
    shell: str, place: int, words: Sequence[str], subcommands: Mapping[str, str]
) -> list[str]:
    """What may stand at a place of a command line, whose first word is the program's name.

    Whole words, with a space after those that are complete; of `key=value` bash wants the value
    alone, since it takes `=` for the end of a word.
    """
    before, word = list(words[1:place]), words[place] if place < len(words) else ""
    cut = 0
    if shell == "bash":  # which hands over key, = and value as three words
        if word == "=" and before:
            before, word = before[:-1], f"{before[-1]}="
            cut = len(word)
        elif before[-1:] == ["="]:
            before, word = before[:-2], f"{''.join(before[-2:])}{word}"
            cut = word.index("=") + 1
    found = _candidates(before, word, subcommands)
    ends = "" if shell == "fish" else " "
    return [
        (text if text.endswith(("=", "/")) else text + ends)[cut:]
        for text in dict.fromkeys(found)
        if text.startswith(word)
    ]


def _candidates(before: Sequence[str], word: str, subcommands: Mapping[str, str]) -> Iterator[str]:
    if before and before[0] in subcommands:
        from click.shell_completion import ShellComplete

        command = getattr(importlib.import_module(subcommands[before[0]]), before[0])
        found = ShellComplete(command, {}, before[0], "").get_completions(list(before[1:]), word)
        if any(one.type in ("dir", "file") for one in found) and not word.startswith("-"):
            yield from _paths(word)
        yield from (one.value for one in found if one.type == "plain")
        if before[0] != "resume":  # which takes settings too
            return
    elif not before or before == ["help"]:
        yield from (*subcommands, "help")
    if word.startswith("-"):
        yield from _OPTIONS
    else:
        yield from _settings(word)


def _settings(word: str) -> Iterator[str]:
    """`key=`, or with a key every value that it can have if these are few."""
    key, equals, _ = word.partition("=")
    groups = config_groups()
    if not equals:
        yield from (f"{one}=" for one in (*SETTINGS, *groups))
        return
    values: Sequence[str] = groups.get(key, ())
    if (one := SETTINGS.get(key)) is not None:
        values = ("true", "false") if one.type is bool else one.choices
    yield from (f"{key}={value}" for value in values)


def config_groups() -> dict[str, list[str]]:
    """Of each folder of `conf/` the choices; an experiment is added, so it has a plus."""
    conf = conf_directory()
    found: dict[str, list[str]] = {}
    for path in sorted(conf.glob("*/**/*.yaml")):
        group = path.parent.relative_to(conf).as_posix()
        found.setdefault("+experiment" if group == "experiment" else group, []).append(path.stem)
    return found


def _paths(word: str) -> Iterator[str]:
    parent = os.path.dirname(word)  # noqa: PTH120  (keeps what was typed, as Path does not)
    try:
        entries = sorted(Path(parent or ".").expanduser().iterdir())
    except OSError:
        return
    for entry in entries:
        if not entry.name.startswith("."):
            text = os.path.join(parent, entry.name)  # noqa: PTH118
            yield f"{text}/" if entry.is_dir() else text

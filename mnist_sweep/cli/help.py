"""The screen of `--help`, without Hydra, whose import takes longer than all else.

With further words (`--help layers=2`) Hydra shows it, from the same file.
"""

from __future__ import annotations

import yaml

from mnist_sweep.cli.completion import conf_folder, config_groups
from mnist_sweep.settings.reference import help_text


def screen() -> str:
    """How the program is called, the config groups, and every setting with its default."""
    text = (conf_folder() / "hydra/help/screen.yaml").read_text("utf-8")
    parts = yaml.safe_load(text)
    groups = {group.lstrip("+"): names for group, names in config_groups().items()}
    shown = [
        f"{group}: {', '.join(names)}\n" for group, names in groups.items() if "hydra" not in group
    ]
    for place, value in {
        "${hydra.help.header}": parts["header"],
        "$APP_CONFIG_GROUPS": "".join(shown),
        "${settings_help:}": help_text(),
        "${hydra.help.footer}": parts["footer"],
    }.items():
        parts["template"] = parts["template"].replace(place, value)
    return str(parts["template"])

"""The pages of the documentation, their fenced blocks, and the calls of the program in these."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
PAGES = [
    *(
        ROOT / name
        for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "outputs/README.md")
    ),
    *sorted((ROOT / "docs").rglob("*.md")),
]


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: str
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}: {self.text.strip().splitlines()[0][:40]}"


def blocks(*languages: str, pages: Sequence[Path] = tuple(PAGES)) -> list[Block]:
    return [
        Block(page.relative_to(ROOT).as_posix(), language, text)
        for page in pages
        for language, text in re.findall(
            r"^```(\w+)\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL
        )
        if language in languages
    ]


def program_calls() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every call of the program in a fenced block: the page, and its words."""
    for block in blocks("sh", "console", "yaml"):
        lines = block.text.replace("\\\n", " ").splitlines()
        if block.language == "yaml":  # a workflow of GitHub Actions
            jobs = yaml.safe_load(block.text).get("jobs", {}).values()
            lines = [step["run"] for job in jobs for step in job["steps"] if "run" in step]
        for line in lines:
            if block.language == "console" and not line.startswith("$ "):
                continue
            for call in line.removeprefix("$ ").split(" && "):
                words = shlex.split(call, comments=True)
                while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                    words.pop(0)
                if words[:1] == ["mnist-sweep"]:
                    yield block.page, tuple(words[1:])
                elif words[1:3] == ["-m", "mnist_sweep"]:
                    yield block.page, tuple(words[3:])


CALLS = list(dict.fromkeys(program_calls()))
"""In the order of the pages."""

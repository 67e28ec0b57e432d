"""What the published report claims, to stand beside what was measured here.

Its figures are of single runs, so they stand as figures: nothing is concluded from comparing them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from mnist_sweep.reporting.phrases.names import size

_NETWORK = ("layers", "nodes", "dropout")


@cache
def reported() -> Mapping[str, Any]:
    """The report's figures: `source`, `data`, `networks` and `claims` (see `reported.json`)."""
    text = (files("mnist_sweep.reporting.phrases") / "reported.json").read_text(encoding="utf-8")
    value: dict[str, Any] = json.loads(text)
    return value


def networks() -> set[tuple[int, int, float]]:
    """Layers, nodes and dropout of the report's networks."""
    return {(one["layers"], one["nodes"], one["dropout"]) for one in reported()["networks"]}


def network(claim: Mapping[str, Any]) -> Mapping[str, Any]:
    """The reported figures of the network that a claim is about."""
    wanted = [claim[key] for key in _NETWORK]
    return next(one for one in reported()["networks"] if [one[key] for key in _NETWORK] == wanted)


def named(claim: Mapping[str, Any]) -> str:
    """'2 layers x 300 nodes, dropout=0.2': a reported network's name."""
    name, dropout = size(claim["layers"], claim["nodes"]), claim["dropout"]
    return f"{name}, dropout={dropout:g}" if dropout else name


def best() -> str:
    """The report's best network."""
    claim = reported()["claims"]["best"]
    figures = network(claim)
    return (
        f"{named(claim)}, test accuracy {100 * figures['test_accuracy']:.1f} %, F1 "
        f"{figures['f1']:.2f}; one run of each network."
    )


def hardest_digits() -> str:
    """The digits that the report's best network found hardest."""
    claims = reported()["claims"]
    misread = "; ".join(
        f"{digit} as {' and '.join(map(str, others))}"
        for digit, others in claims["mistaken_for_by_best"].items()
    )
    digits = ", ".join(map(str, claims["hardest_digits_of_best"]))
    return f"{digits} for {named(claims['best'])}, most often misread {misread}."


def worst() -> str:
    """The report's worst two-layer network."""
    claim = reported()["claims"]["worst_two_layer"]
    digits = " and ".join(map(str, claim["digits"]))
    return (
        f"{named(claim)}, by the lowest F1 of a digit on the test split ({claim['lowest_f1']:.2f}, "
        f"digits {digits}); one run of each network."
    )


def change(metric: str) -> str:
    """What the report says dropout changed: accuracy or f1_min, of the test split."""
    claims = reported()["claims"]
    before, after = claims["worst_two_layer"], claims["changed"]
    if metric == "accuracy":
        first, second = (network(one)["test_accuracy"] for one in (before, after))
        said = f"{100 * (second - first):+.1f} points ({100 * first:.1f} to {100 * second:.1f} %)"
    else:
        first, second = before["lowest_f1"], after["lowest_f1"]
        said = f"{second - first:+.2f} ({first:.2f} to {second:.2f})"
    return f"{said} for {named(after)}; one run of each, against the run it was chosen by."


def against_best() -> str:
    """The report's changed network beside its best one."""
    claims = reported()["claims"]
    ours, theirs = (network(claims[key])["test_accuracy"] for key in ("changed", "best"))
    return (
        f"{100 * ours:.1f} % against {100 * theirs:.1f} % ({100 * (ours - theirs):+.1f} points); "
        "one run of each."
    )

"""What the published report claims, to stand beside what was measured here."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mnist_sweep.analysis.uncertainty import UncertainSelection
    from mnist_sweep.records.fields import Flat

_NETWORK = ("layers", "nodes", "dropout")


@cache
def reported() -> Mapping[str, Any]:
    """The report's figures: `source`, `data`, `networks` and `claims` (see `reported.json`)."""
    text = (files("mnist_sweep.reporting.conclusions") / "reported.json").read_text(
        encoding="utf-8"
    )
    value: dict[str, Any] = json.loads(text)
    return value


def network(claim: Mapping[str, Any]) -> Mapping[str, Any]:
    """The reported figures of the network that a claim is about."""
    wanted = [claim[key] for key in _NETWORK]
    return next(one for one in reported()["networks"] if [one[key] for key in _NETWORK] == wanted)


def named(claim: Mapping[str, Any]) -> str:
    """'2 layers x 300 nodes, dropout=0.2': a reported network's name."""
    layers, nodes, dropout = (claim[key] for key in _NETWORK)
    size = f"{layers} layer{'' if layers == 1 else 's'} x {nodes} nodes"
    return f"{size}, dropout={dropout:g}" if dropout else size


def best(found: UncertainSelection) -> str:
    """The report's best network beside ours."""
    claim = reported()["claims"]["best"]
    figures = network(claim)
    return (
        f"{named(claim)}, test accuracy {100 * figures['test_accuracy']:.1f} %, F1 "
        f"{figures['f1']:.2f}, one run of each: {_beside(claim, found)}."
    )


def hardest(settings: Flat, digits: Sequence[int]) -> str:
    """The digits that the report's best network found hardest, beside ours.

    Args:
        settings: Of our best network.
        digits: The hardest ones here.
    """
    claims = reported()["claims"]
    theirs = claims["hardest_digits_of_best"]
    taken = "; ".join(
        f"{digit} for {' and '.join(map(str, others))}"
        for digit, others in claims["mistaken_for_by_best"].items()
    )
    same = [str(digit) for digit in digits if digit in theirs]
    here = f"{', '.join(same)} here too" if same else "none of them here"
    other = "" if is_network(claims["best"], settings) else f" (of {named(claims['best'])})"
    return f"{', '.join(map(str, theirs))}, most often taken {taken}{other}: {here}."


def worst(found: UncertainSelection) -> str:
    """The report's worst two-layer network beside ours."""
    claim = reported()["claims"]["worst_two_layer"]
    digits = " and ".join(map(str, claim["digits"]))
    return (
        f"{named(claim)}, by the lowest F1 of a digit on the test split ({claim['lowest_f1']:.2f}, "
        f"digits {digits}), one run of each: {_beside(claim, found)}."
    )


def change(metric: str, low: float, high: float) -> str:
    """What the report says dropout changed, beside our interval.

    Args:
        metric: accuracy or f1_min, of the test split.
        low: Lower end of the interval of our difference.
        high: Upper end.
    """
    claims = reported()["claims"]
    before, after = claims["worst_two_layer"], claims["changed"]
    if metric == "accuracy":
        first, second = (network(one)["test_accuracy"] for one in (before, after))
        said = f"{100 * (second - first):+.1f} points ({100 * first:.1f} to {100 * second:.1f} %)"
    else:
        first, second = before["lowest_f1"], after["lowest_f1"]
        said = f"{second - first:+.2f} ({first:.2f} to {second:.2f})"
    inside = "inside" if low <= second - first <= high else "outside"
    return (
        f"{said} for {named(after)}, one run of each, against the run it was chosen by: {inside} "
        "our interval."
    )


def against_best() -> str:
    """How close the report's changed network came to its best one."""
    claims = reported()["claims"]
    ours, theirs = (network(claims[key])["test_accuracy"] for key in ("changed", "best"))
    return (
        f"{100 * ours:.1f} % against {100 * theirs:.1f} % ({100 * (ours - theirs):+.1f} points), "
        "said to match it closely."
    )


def is_network(claim: Mapping[str, Any], settings: Flat) -> bool:
    """Whether settings are those of a reported network, as far as those are known."""
    return all(settings.get(key) == claim[key] for key in _NETWORK)


def _beside(claim: Mapping[str, Any], found: UncertainSelection) -> str:
    """How the claimed network stands in our selection."""
    candidates = found.selection.candidates
    same = [one for one in candidates if is_network(claim, one.settings)]
    if not same:
        return "not among the candidates here"
    if is_network(claim, found.chosen.settings):
        return "the same here"
    if not found.confidences:
        return "another one here"
    alike = {one.configuration_id for one in found.not_distinguishable}
    if any(one.configuration_id in alike for one in same):
        return "another one here, but not distinguishable from it"
    return "another one here, and distinguishable from it"

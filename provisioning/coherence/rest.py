"""What is wrong between trunks and rules, in a file in which some values are wrong themselves. Pure.

So one reading of the file shows all of it. Nothing is said that a value which cannot be read might explain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provisioning.coherence.whole import check_coherence
from provisioning.reading.problem import Path, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from provisioning.config import LineConfig

_TRUNKS: Path = ("sip_trunks",)
_RULES: Path = ("routing", "inbound_rules")


def problems_of_the_rest(
    tree: Mapping[str, Any],
    problems: Sequence[Problem],
    validate: Callable[[dict[str, Any]], LineConfig | None],
) -> list[Problem]:
    """Check what can be read of trunks and rules.

    Args:
        tree: the expanded file.
        problems: what is known to be wrong in it.
        validate: reads a smaller tree; None when it cannot.
    """
    trunks, rules = _entries(tree, _TRUNKS), _entries(tree, _RULES)
    bad = {problem.path for problem in problems}
    good_trunks = [n for n in range(len(trunks)) if not _within(bad, (*_TRUNKS, n))]
    good_rules = list(range(len(rules)))
    unread = [_name(entry) for n, entry in enumerate(trunks) if n not in good_trunks]
    if None in unread or bad & {(), _TRUNKS, _RULES, _RULES[:1]}:
        good_rules = []  # which trunks there are is not known
    smaller = {
        "sip_trunks": [trunks[n] for n in good_trunks],
        "routing": {"inbound_rules": [_readable(rules[n], n, bad) for n in good_rules]},
    }
    config = validate(smaller)
    if config is None:
        return []
    found, _ = check_coherence(config, unread=[name for name in unread if name is not None])
    places = {_TRUNKS: good_trunks, _RULES: good_rules}
    moved = [_moved(problem, places) for problem in found]
    return [problem for problem in moved if not _may_be_explained(problem, bad)]


def _entries(tree: Any, path: Path) -> list[Any]:
    for step in path:
        tree = tree.get(step) if isinstance(tree, dict) else None
    return tree if isinstance(tree, list) else []


def _within(bad: set[Path], place: Path) -> bool:
    return any(path[: len(place)] == place for path in bad)


def _readable(rule: Any, n: int, bad: set[Path]) -> dict[str, Any]:
    """A rule without the keys that are wrong, so that at least the trunks it names are looked at."""
    place = (*_RULES, n)
    wrong = {path[len(place)] for path in bad if path[: len(place)] == place and len(path) > len(place)}
    if place in bad or not isinstance(rule, dict):
        return {"name": f"unread-{n}"}
    kept = {key: value for key, value in rule.items() if key not in wrong}
    return {"name": f"unread-{n}", **kept}


def _may_be_explained(problem: Problem, bad: set[Path]) -> bool:
    """Whether it is about more than a name in a rule that could not be read whole."""
    place = problem.path[: len(_RULES) + 1]
    in_wrong_rule = place[: len(_RULES)] == _RULES and _within(bad, place)
    return in_wrong_rule and problem.path[len(place) : len(place) + 1] not in {("trunks",), ("match",)}


def _name(entry: Any) -> str | None:
    name = entry.get("name") if isinstance(entry, dict) else None
    return name if isinstance(name, str) else None


def _moved(problem: Problem, places: Mapping[Path, Sequence[int]]) -> Problem:
    """A problem of the smaller tree, where it stands in the whole one."""
    for path, indices in places.items():
        step = problem.path[len(path)] if len(problem.path) > len(path) else None
        if problem.path[: len(path)] == path and isinstance(step, int):
            moved = (*path, indices[step], *problem.path[len(path) + 1 :])
            return Problem(moved, problem.message, fix=problem.fix)
    return problem

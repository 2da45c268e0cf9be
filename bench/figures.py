"""The shape every measurement reports in: figures with a target, a table for people, JSON for machines.

``met`` is None where there are too few samples to judge: a 95th percentile needs twenty.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

_ENOUGH_FOR_P95 = 20


@dataclass(slots=True)
class Figure:
    """One measured quantity.

    ``target`` is judged against the statistic ``judged`` names: the samples' median, 95th
    percentile, largest, smallest or mean; smaller is better unless ``at_least``.
    """

    name: str
    unit: str
    samples: list[float] = field(default_factory=list)
    target: float | None = None
    judged: Literal["median", "p95", "max", "min", "mean"] = "median"
    at_least: bool = False

    def statistic(self, name: str) -> float | None:
        """One statistic of the samples; None without samples."""
        if not self.samples:
            return None
        ordered = sorted(self.samples)
        match name:
            case "median":
                return statistics.median(ordered)
            case "mean":
                return statistics.fmean(ordered)
            case "min":
                return ordered[0]
            case "max":
                return ordered[-1]
            case "p95":
                return ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))]
        raise ValueError(f"no statistic is called {name!r}")

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without a target or with too few samples."""
        value = self.statistic(self.judged)
        if self.target is None or value is None:
            return None
        if self.judged == "p95" and len(self.samples) < _ENOUGH_FOR_P95:
            return None
        return value >= self.target if self.at_least else value <= self.target

    def to_json(self) -> dict[str, Any]:
        """name, min, median, p95, max, n, unit, judged, target, met."""
        numbers = {name: _rounded(self.statistic(name)) for name in ("min", "median", "p95", "max")}
        return {
            "name": self.name,
            **numbers,
            "n": len(self.samples),
            "unit": self.unit,
            "judged": self.judged,
            "target": self.target,
            "met": self.met,
        }


@dataclass(slots=True)
class Report:
    """All figures of one run, with the machine's load before and after."""

    title: str
    figures: list[Figure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    load_before: float = field(default_factory=lambda: os.getloadavg()[0])

    def figure(self, name: str, unit: str, samples: Sequence[float], **judgement: Any) -> Figure:
        """Add a figure and return it."""
        figure = Figure(name, unit, list(samples), **judgement)
        self.figures.append(figure)
        return figure

    def show(self, *, as_json: bool) -> int:
        """Print the report; returns the exit code: 0 when no target is missed, else 1."""
        if as_json:
            sys.stdout.write(json.dumps(self.to_json()) + "\n")
        else:
            self._table()
        return int(any(figure.met is False for figure in self.figures))

    def to_json(self) -> dict[str, Any]:
        """The object that --json prints."""
        return {
            "title": self.title,
            "figures": [figure.to_json() for figure in self.figures],
            "notes": self.notes,
            "load": {"before": self.load_before, "after": os.getloadavg()[0], "cores": os.cpu_count()},
        }

    def _table(self) -> None:
        table = Table(title=self.title, title_justify="left")
        for heading in ("figure", "min", "median", "p95", "max", "n", "unit", "target", "met"):
            numeric = heading not in {"figure", "unit", "met"}
            table.add_column(heading, justify="right" if numeric else "left")
        for figure in self.figures:
            row = figure.to_json()
            sign = "≥" if figure.at_least else "≤"
            target = "" if figure.target is None else f"{figure.judged} {sign} {figure.target:g}"
            met = {True: "[green]yes[/green]", False: "[red]no[/red]", None: ""}[figure.met]
            numbers = [_text(row[name]) for name in ("min", "median", "p95", "max")]
            table.add_row(figure.name, *numbers, str(row["n"]), figure.unit, target, met)
        console = Console(width=None if sys.stdout.isatty() else 150)
        console.print(table)
        for note in self.notes:
            console.print(f"  {note}", highlight=False)
        console.print(
            f"  load {self.load_before:.1f} before, {os.getloadavg()[0]:.1f} after", highlight=False
        )


def arguments(description: str) -> argparse.ArgumentParser:
    """The flags that every measurement takes."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="under a minute; judges medians only")
    parser.add_argument(
        "--json", action="store_true", dest="as_json", help="one JSON object instead of a table"
    )
    return parser


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _text(value: float | None) -> str:
    if value is None:
        return ""
    size = abs(value)
    return f"{value:.2f}" if 0 < size < 1 else f"{value:.1f}" if size < 1000 else f"{value:.0f}"

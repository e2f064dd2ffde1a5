"""Figures: samples with their spread, and a table that remembers whether every aim was met."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Sample:
    """Repetitions of one measurement."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def percentile(self, percent: float) -> float:
        """The smallest value that so many percent of all values do not exceed."""
        ordered = sorted(self.values)
        return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]

    def told(self, unit: str, scale: float = 1.0, digits: int = 0) -> str:
        """The median and between what the middle half lies, such as `540 ms (531 to 552)`."""
        middle, low, high = (
            f"{value * scale:,.{digits}f}" for value in (self.median, self.percentile(25), self.percentile(75))
        )
        return f"{middle} {unit} ({low} to {high})"


def interleaved(
    measurements: Mapping[str, Callable[[], Mapping[str, float]]], repeats: int
) -> dict[str, dict[str, Sample]]:
    """Run all measurements in turn, and again, so that what the machine does meanwhile meets all of them.

    The first round warms the caches of the system and is not counted.

    Returns:
        Name of the measurement → name of the value → its sample.
    """
    found: dict[str, dict[str, list[float]]] = {name: {} for name in measurements}
    for round_number in range(repeats + 1):
        for name, measure in measurements.items():
            for value_name, value in measure().items():
                found[name].setdefault(value_name, []).extend([value] if round_number else [])
    return {
        name: {value_name: Sample(tuple(values)) for value_name, values in values_by_name.items()}
        for name, values_by_name in found.items()
    }


def order_of_growth(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """The exponent k of the power law cost = a * size ** k that fits best: 1 is linear, 2 is quadratic."""
    slope, _ = statistics.linear_regression([math.log(size) for size in sizes], [math.log(cost) for cost in costs])
    return slope


@dataclass
class Table:
    """A table that is printed as it grows."""

    title: str
    missed: int = 0

    def __post_init__(self) -> None:
        self._print("\n## " + self.title)
        self._print("\n| what | measured | aim | holds |\n|---|---|---|---|")

    @property
    def exit_code(self) -> int:
        """0 if every aim was met."""
        return 1 if self.missed else 0

    def add(self, what: str, measured: str, aim: str = "", met: bool | None = None) -> None:
        """Add a row; without an aim it is there to be read."""
        self.missed += met is False
        self._print(f"| {what} | {measured} | {aim} | {'' if met is None else 'yes' if met else '**no**'} |")

    def note(self, text: str) -> None:
        """Add a paragraph below the rows; no row may follow."""
        self._print("\n" + text)

    def _print(self, line: str) -> None:
        print(line, flush=True)

"""What runs of a tool cost and how long they took, from the organisation's own recent runs; nothing is estimated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any, NamedTuple

import anyio

from deeporigin_mcp.errors import DeepOriginError
from deeporigin_mcp.platform import Execution, ListQuery
from deeporigin_mcp.platform.records.money import shown
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.platform.records.values import is_list_of_objects
from deeporigin_mcp.platform.transport.responses import rows_of
from deeporigin_mcp.tools.responses.inputs_summary import NOT_SCIENCE
from deeporigin_mcp.tools.runtime.state import ServerState

RECENT_RUNS = 100
READ_SECONDS = 6.0
KEPT_SECONDS = 300.0
MAX_INPUTS_NAMED = 4
MAX_SIZES = 4
MOST_APART = 2
"""How many times as long one more may take in some runs as in others, for that to be said at all."""


class CostsSeen(NamedTuple):
    """In words; empty for what no run shows."""

    price: str = ""
    duration: str = ""


class Size(NamedTuple):
    """How many of what a run was about; `unit` is empty where its inputs have no list."""

    number: int
    unit: str


async def costs_seen(state: ServerState, tool_key: str) -> CostsSeen | None:
    """Price and duration in the recent runs of a tool, read at most every five minutes; None if they cannot be read."""
    now = state.client.timing.since_boot()
    at, kept = state.costs_seen.get(tool_key, (0.0, None))
    if isinstance(kept, CostsSeen) and now - at < KEPT_SECONDS:
        return kept
    query = ListQuery(tool_key=tool_key, order="createdAt desc")
    try:
        with anyio.fail_after(READ_SECONDS):
            runs = [Execution(row) for row in rows_of(await state.client.listing.page(query, 0, RECENT_RUNS))]
    except (DeepOriginError, TimeoutError):
        return None
    runs = [run for run in runs if run.tool_key == tool_key]
    seen = CostsSeen(price_in(runs), duration_in(runs))
    state.costs_seen[tool_key] = (now, seen)
    return seen


def size_of(inputs: Mapping[str, Any]) -> Size:
    """The longest list of objects in a run's inputs, given there or counted beside a file."""
    sizes = [Size(len(value), name) for name, value in inputs.items() if is_list_of_objects(value)]
    for name, value in inputs.items():
        label = name.removesuffix("_count")
        if label != name and f"{label}_file" in inputs and isinstance(value, int) and not isinstance(value, bool):
            sizes.append(Size(value, label))
    number, unit = max(sizes, default=Size(0, ""))
    return Size(number, one_line(unit, 30).removesuffix("s"))


def price_in(runs: Iterable[Execution]) -> str:
    """What quotes depended on, and what was billed, such as `0.20 USD per ligand in 14 recent runs; …`."""
    quoted = [(run, price) for run in runs if (price := run.quoted_price) is not None and not run.price_is_partial]
    if not quoted:
        return ""
    rule, is_constant = _rule([(price, size_of(run.inputs)) for run, price in quoted], _is_counted(quoted))
    parts = [f"{rule} in {_runs(len(quoted))}"]
    if is_constant and (same := _varied([run.inputs for run, _ in quoted])):
        parts.append(f"{', '.join(same)} did not change it")
    return "; ".join([*parts, *_billed([run for run, price in quoted if price > 0])])


def duration_in(runs: Iterable[Execution]) -> str:
    """Such as `1 ligand: 46 s, 12 ligands: 100 to 112 s in 9 recent runs; 6 s per further ligand; …`."""
    ended = [run for run in runs if run.status == "Completed" and run.runtime_seconds is not None]
    by_size: dict[Size, list[float]] = {}
    for run in ended:
        by_size.setdefault(size_of(run.inputs), []).append(run.runtime_seconds or 0)
    if not by_size:
        return ""
    known = [(size, sorted(by_size[size])) for size in sorted(by_size)]
    shown = known if len(known) <= MAX_SIZES else [*known[: MAX_SIZES - 1], known[-1]]
    parts = [f"{', '.join(_timed(*each) for each in shown)} in {_runs(len(ended))}"]
    if varied := _varied([run.inputs for run in ended]):
        parts.append(f"{', '.join(varied)} varied")
    (most, _), units = known[-1], {size.unit for size, _ in known}
    if len(units) == 1 and most.unit:
        if each := _each_further(known):
            parts.append(f"{each} per further {most.unit}")
        parts.append(f"for more than {_of(most)} not known")
    return "; ".join(parts)


def _timed(size: Size, times: Sequence[float]) -> str:
    """The times of runs of one size, least first."""
    took = " to ".join(dict.fromkeys((_time(times[0]), _time(times[-1]))))
    return f"{_of(size)}: {took}" if size.unit else took


def _each_further(known: Sequence[tuple[Size, Sequence[float]]]) -> str:
    """The seconds that one more takes; empty where runs of several sizes do not agree on that."""
    steps = [
        ((after[0] - before[-1]) / (more.number - less.number), (after[-1] - before[0]) / (more.number - less.number))
        for (less, before), (more, after) in pairwise(known)
    ]
    if not steps:
        return ""
    low, high = min(least for least, _ in steps), max(most for _, most in steps)
    return " to ".join(dict.fromkeys((_time(low), _time(high)))) if 0 < high <= MOST_APART * low else ""


def _is_counted(quoted: Sequence[tuple[Execution, Decimal]]) -> bool:
    """Whether the quotes themselves count what the run is about."""
    for run, _ in quoted:
        items = [item for item in run.line_items if item.total]
        if len(items) != 1 or items[0].quantity != size_of(run.inputs).number:
            return False
    return True


def _rule(seen: Sequence[tuple[Decimal, Size]], is_counted: bool) -> tuple[str, bool]:
    """The price, and whether it depends on nothing but the size."""
    prices, sizes = {price for price, _ in seen}, {size for _, size in seen}
    units = {size.unit for size in sizes}
    is_clear = len(sizes) > 1 or is_counted
    if is_clear and len(units) == 1 and units != {""} and all(size.number for size in sizes):
        each = {round(price / size.number, 6) for price, size in seen}
        if len(each) == 1 and each != {Decimal(0)}:
            return f"{shown(each.pop())} USD per {units.pop()}", True
    low, high = min(prices), max(prices)
    if len(prices) > 1:
        return f"{shown(low)} to {shown(high)} USD per run", False
    if not low:
        return "free", True
    (size, *others) = sizes
    return f"{shown(low)} USD {f'for {_of(size)}' if size.unit and not others else 'per run'}", True


def _varied(inputs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Inputs of one plain value that were not the same in all runs."""
    values: dict[str, set[str]] = {}
    for each in inputs:
        for name, value in each.items():
            if isinstance(value, str | int | float) and not name.endswith(("_count", "_file")):
                values.setdefault(name, set()).add(repr(value))
    names = [name for name, found in values.items() if len(found) > 1 and name not in NOT_SCIENCE]
    return [one_line(name, 30) for name in sorted(names)][:MAX_INPUTS_NAMED]


def _billed(runs: Sequence[Execution]) -> list[str]:
    """Whether parts that fail are billed is known only as far as bills show it."""
    parts = []
    completed = [run for run in runs if run.status == "Completed" and run.billed is not None]
    if completed:
        partial = [run for run in completed if run.failed_ligands and run.failed_ligands[0]]
        among = f", of those with failed ligands {_as_quoted(partial)}" if partial else ""
        parts.append(f"{_as_quoted(completed)} completed runs were billed as quoted{among}")
    if failed := [run for run in runs if run.status == "Failed"]:
        billed = sum(bool(run.billed) for run in failed)
        parts.append(f"{billed} of {len(failed)} failed runs were billed")
    return parts


def _as_quoted(runs: Sequence[Execution]) -> str:
    return f"{sum(run.billed == run.quoted_price for run in runs)} of {len(runs)}"


def _of(size: Size) -> str:
    return f"{size.number:,} {size.unit}{'' if size.number == 1 else 's'}"


def _runs(count: int) -> str:
    return f"{count} recent run{'' if count == 1 else 's'}"


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min" if seconds < 7200 else f"{seconds / 3600:.3g} h"

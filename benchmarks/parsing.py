"""From the platform's bytes to what is used of ten thousand rows, against `json.loads` alone.

python -m benchmarks.parsing
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from collections.abc import Callable, Mapping

from benchmarks.figures import Table, interleaved
from benchmarks.replay import Recording
from deeporigin_mcp.platform import Execution
from deeporigin_mcp.platform.transport.http_errors import decoded_body
from deeporigin_mcp.platform.transport.responses import rows_of
from deeporigin_mcp.tools.responses.views import wait_row

ROWS, AIM = 10_000, 4.0
DECODED, USED, SHOWN, RIVAL = "decoded", "every row read", "every row made ready for a model", "json.loads"


def read(body: bytes) -> int:
    """Decode, and read of every row what waiting and money need; how many are over."""
    rows = [Execution(row) for row in rows_of(decoded_body(body))]
    return sum(row.is_terminal and row.quoted_price is not None and row.progress_percent == 100 for row in rows)


def show(body: bytes) -> int:
    """Decode, and make of every row what a list shows."""
    return len([wait_row(Execution(row)).model_dump(exclude_none=True) for row in rows_of(decoded_body(body))])


def timed(work: Callable[[], object]) -> Callable[[], Mapping[str, float]]:
    def run() -> Mapping[str, float]:
        gc.collect()
        started = time.perf_counter()
        work()
        return {"seconds": time.perf_counter() - started}

    return run


def measure(table: Table, repeats: int) -> None:
    body = Recording(ROWS).answer(f"/executions?page=0&pageSize={ROWS}").encode()
    found = interleaved(
        {
            RIVAL: timed(lambda: json.loads(body)),
            DECODED: timed(lambda: decoded_body(body)),
            USED: timed(lambda: read(body)),
            SHOWN: timed(lambda: show(body)),
        },
        repeats,
    )
    theirs = found[RIVAL]["seconds"]
    for name in (DECODED, USED, SHOWN):
        ours = found[name]["seconds"]
        ratio = ours.median / theirs.median
        measured = f"{ours.told('ms', 1e3)} against {theirs.told('ms', 1e3)}: {ratio:.2f} times"
        table.add(name, measured, f"≤ {AIM:.0f} times", ratio <= AIM)
    table.note(f"{ROWS:,} rows of both eras, {len(body) / 1e6:.1f} MB.")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=9)
    table = Table("Parsing 10,000 rows of every era")
    measure(table, parser.parse_args().repeats)
    return table.exit_code


if __name__ == "__main__":
    sys.exit(main())

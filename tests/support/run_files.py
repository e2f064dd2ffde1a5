"""Runs whose result rows and files a test puts on the simulated platform."""

from __future__ import annotations

from typing import Any

from deeporigin_mcp.simulator.state.entities import add_row
from deeporigin_mcp.simulator.state.files import find_file, put_file
from tests.support.bench import PROJECT, Bench
from tests.support.rows import stored

SDF = "{title}\n  made\n\n  1  0  0  0  0  0  0  0  0  0999 V2000\n    {x:.4f}    0.0000    0.0000 C   0  0\nM  END\n"


def sdf(title: str = "", x: float = 0, **fields: object) -> str:
    return SDF.format(title=title, x=x) + "".join(f">  <{k}>\n{v}\n\n" for k, v in fields.items()) + "$$$$\n"


def pose(ligand: str, score: float, path: str, **data: Any) -> dict[str, Any]:
    return {"ligand_id": ligand, "pose_score": score, "best_pose": True, "file_path": path, **data}


class FilesOfRuns:
    """The files and rows of the simulated organisation, put there by a test."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self._organisation = bench.platform.organisations["deeporigin"]

    def put(self, **files: str) -> None:
        for path, content in files.items():
            put_file(self.bench.platform, self._organisation, path, content.encode())

    def content(self, path: str) -> bytes:
        found = find_file(self.bench.platform, self._organisation, path)
        assert found is not None
        return found.content

    def add(self, table: str, identifier: str, **values: Any) -> None:
        now = self.bench.platform.clock.now()
        add_row(self.bench.platform, self._organisation, table, PROJECT, values, "ada", now, identifier=identifier)

    def run(self, *rows: dict[str, Any], **dto: Any) -> str:
        """A completed run with these result rows."""
        name = stored(self.bench, *rows)
        run = self.bench.platform.executions[name]
        # It has left nothing but what the test puts there.
        run.definition = None
        run.stored.update({"jobOutputs": None, **dto})
        return name

    def fetched(self) -> list[str]:
        """The files whose content was sent."""
        return self.bench.sent("GET", "/store/")

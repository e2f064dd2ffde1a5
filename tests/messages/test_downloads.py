"""What is said about files that are downloaded."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from deeporigin_mcp.apps import pages
from deeporigin_mcp.settings.places import IN_HEADERS
from deeporigin_mcp.tools.files import download_files as tool
from tests.messages.snapshot import assert_as_agreed
from tests.support.bench import Agent, Bench
from tests.support.run_files import FilesOfRuns, pose, sdf

pytestmark = pytest.mark.anyio

NOWHERE = "3f0c9a52-6f0e-4f0b-9a55-0d3b6e1c7a11"
LIGANDS = [{"id": "L1", "name": "one"}, {"id": "L2", "name": "two"}]


async def refusals(agent: Agent, platform: FilesOfRuns) -> dict[str, str]:
    run = platform.run(pose("L1", 0.9, "r/a.sdf"))
    calls: dict[str, dict[str, Any]] = {
        "neither run nor paths": {},
        "paths and a type": {"paths": ["a"], "what": "pose"},
        "unknown run": {"execution_id": NOWHERE},
        "unknown type": {"execution_id": run, "what": "pockets"},
    }
    return {case: await agent.refused("download_files", **arguments) for case, arguments in calls.items()}


async def results(agent: Agent, platform: FilesOfRuns) -> dict[str, str]:
    shared, inputs = sdf("", 1) + sdf("", 2), {"userInputs": {"ligands": LIGANDS}}
    platform.put(**{"r/a.sdf": sdf("L1", 1), "r/shared.sdf": shared, "r/a.csv": "x"})
    rows = [pose("L1", 0.9, "r/a.sdf"), pose("L2", 0.8, "r/gone.sdf")]
    both = [pose("L1", 0.9, "r/shared.sdf"), pose("L2", 0.8, "r/shared.sdf")]
    table = {"ligand_id": "L1", "logp": 1.5}
    runs = {
        "whole": platform.run(*rows[:1]),
        "joined": platform.run(*rows[:1]),
        "a file is gone": platform.run(*rows, **inputs),
        "records that cannot be told apart": platform.run(*both, **inputs),
        "no result for a ligand": platform.run(*rows[:1], **inputs),
        "no poses to join": platform.run(table),
        "still running": platform.run(*rows[:1], status="Running"),
        "running, nothing yet": platform.run(status="Running"),
        "quoted": platform.run(status="Quoted"),
        "failed": platform.run(status="Failed"),
        "completed without files": platform.run(),
    }
    found = {}
    for case, run in runs.items():
        arguments = {"execution_id": run, "combine": case in ("joined", "no poses to join")}
        answer = await agent.call("download_files", arguments)
        found[case] = answer.text.replace(run, "RUN").replace(run[:8], "RUN")
    for case, (what, run) in {
        "a table": ("table", platform.run(*rows[:1], **inputs)),
        "a table without rows": ("table", platform.run()),
        "a table of a run that goes on": ("table", platform.run(table, status="Running")),
        "a table with too many columns": ("table", platform.run(table | {f"c{number}": 1 for number in range(300)})),
        "a record": ("record", platform.run(table)),
    }.items():
        answer = await agent.call("download_files", {"execution_id": run, "what": what})
        found[case] = re.sub(
            r"(?<=size\n)\d+|(?<= )\d{3,}", "N", answer.text.replace(run, "RUN").replace(run[:8], "RUN")
        )
    many = [f"r/{number}.csv" for number in range(12)]
    platform.put(**dict.fromkeys(many, "x"))
    found["many files"] = (await agent.call("download_files", {"paths": many})).text
    platform.bench.fault("GET */signedUrl/* status=503")
    found["a fault that may pass"] = (await agent.call("download_files", {"paths": ["r/a.csv"]})).text
    platform.bench.heal()
    return found


async def test_messages_about_downloads(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    platform = FilesOfRuns(bench)
    monkeypatch.setenv("HOME", str(tmp_path))
    async with bench.agent() as agent:
        found = {**await refusals(agent, platform), **await results(agent, platform)}
        monkeypatch.setattr(pages, "BUILT", tmp_path)
        run = platform.run({"ligand_id": "L1", "logp": 1.5})
        found["a page that is not built"] = await agent.refused("download_files", execution_id=run, what="report")
        monkeypatch.setattr(tool, "WAIT_SECONDS", 0.0)
        # Nobody moves the clock that it waits for.
        bench.fault("GET */signedUrl/* delay=3")
        text = (await agent.call("download_files", {"paths": ["r/a.csv"], "folder": "x"})).text
        # How far it has come depends on the machine.
        found["goes on"] = re.sub(r"pending: \d+\n", "", text)
    bench.heal()
    async with bench.agent(places=IN_HEADERS) as agent:
        run = platform.run({"ligand_id": "L1", "logp": 1.5})
        links = (await agent.call("download_files", {"paths": [f"r/{number}.csv" for number in range(12)]})).text
        rows = (await agent.call("download_files", {"execution_id": run})).text
        for what in ("report", "table", "record"):
            text = await agent.refused("download_files", execution_id=run, what=what)
            found[f"over HTTP: a {what}"] = text.replace(run, "RUN")
        typo = await agent.refused("download_files", execution_id=platform.run(pose("L1", 1, "a.sdf")), what="tables")
        found["over HTTP: unknown type"] = typo
        found["over HTTP: links"] = re.sub(r"http://\S+", "LINK", links)
        found["over HTTP: rows without files"] = rows.replace(run, "RUN")
    assert_as_agreed("downloads", {case: re.sub(r"simulated-\d+", "ID", text) for case, text in found.items()})

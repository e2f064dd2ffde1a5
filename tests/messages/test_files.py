"""What is said about files: those of this machine, and those of the platform."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deeporigin_mcp.errors import ArgumentError
from deeporigin_mcp.tools.files import upload_file as uploading
from deeporigin_mcp.tools.files.folders import Folders
from tests.messages.snapshot import assert_as_agreed, message_of
from tests.support.bench import Agent, Bench
from tests.support.file_store import FileStore
from tests.support.recording import Reply, recording
from tests.support.site import running_site

pytestmark = pytest.mark.anyio

NOWHERE = "3f0c9a52-6f0e-4f0b-9a55-0d3b6e1c7a11"


def of_folders(home: Path) -> dict[str, str]:
    folder = home / "deeporigin"
    folders = Folders((folder,))

    def opened(path: str, among: Folders = folders, **limits: Any) -> Callable[[], object]:
        def read() -> object:
            with among.open(path, **limits) as found:
                return found

        return read

    messages = {}
    cases: dict[str, Callable[[], object]] = {
        "empty path": opened(" "),
        "outside": opened("~/.ssh/id"),
        "up": opened("../notes.txt"),
        "hidden": opened(".git/config"),
        "a link that leads out": opened("link.pdb"),
        "mistyped": opened("modle.pdb"),
        "not there": opened("first_hits.sdf"),
        "nothing there": opened("sets/first_hits.sdf"),
        "no folder at all": opened("model.pdb", Folders(())),
        "other suffix": opened("model.pdb", suffixes=[".sdf", ".csv"]),
        "folder": opened("sets"),
        "pipe": opened("pipe"),
        "too large": opened("model.pdb", max_bytes=1_000),
        "name of a folder taken": lambda: folders.new_folder("model.pdb"),
        "no home": lambda: Folders(()).downloads,
    }
    for case, attempt in cases.items():
        with pytest.raises(ArgumentError) as caught:
            attempt()
        messages[f"this machine: {case}"] = message_of(caught.value)
    return messages


async def of_uploads(bench: Bench, agent: Agent, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    await agent.read("upload_file", text="CCO", destination="lists/a.csv")
    calls: dict[str, dict[str, Any]] = {
        "nothing": {},
        "path and text": {"path": "model.pdb", "text": "CCO"},
        "text without a name": {"text": "CCO"},
        "long text": {"text": "C" * 70_000, "destination": "a.csv"},
        "another file there": {"text": "CCN", "destination": "lists/a.csv"},
        "another size": {"text": "CCNC", "destination": "lists/a.csv"},
        "the platform's own folder": {"text": "CCO", "destination": "entities/ligands/a.sdf"},
    }
    messages = {f"upload: {case}": await agent.refused("upload_file", **each) for case, each in calls.items()}
    monkeypatch.setattr(uploading, "WAIT_SECONDS", 0.0)
    for case, arguments in {
        "a file": {"path": "model.pdb"},
        "a text": {"text": "CCO", "destination": "other/b.csv"},
    }.items():
        answer = await agent.call("upload_file", arguments)
        messages[f"upload goes on: {case}"] = answer.text
    monkeypatch.undo()
    return messages


async def of_lists(bench: Bench, agent: Agent) -> dict[str, str]:
    running, done = bench.seeded("Running"), bench.seeded("Completed")
    calls: dict[str, dict[str, Any]] = {
        "empty folder": {"path": "nowhere"},
        "a folder": {"path": "lists"},
        "next page": {"path": "lists", "limit": 1},
        "run without files": {"execution_id": running},
    }
    messages = {f"list: {case}": (await agent.read("list_files", **each))["next_step"] for case, each in calls.items()}
    calls = {
        "run unknown": {"execution_id": NOWHERE},
        "run and path": {"execution_id": NOWHERE, "path": "a"},
        "cursor of a folder": {"path": "lists", "cursor": "x"},
        "cursor of a run": {"execution_id": done, "cursor": "x"},
    }
    messages |= {f"list: {case}": await agent.refused("list_files", **each) for case, each in calls.items()}
    named = {case: text.replace(running, "RUNNING").replace(done, "DONE") for case, text in messages.items()}
    return {case: re.sub(r" \(request id .*?\)", "", text) for case, text in named.items()}


async def elsewhere(bench: Bench) -> dict[str, str]:
    async with running_site(bench) as site, site.agent() as agent:
        made = await agent.call("upload_file", {"destination": "screens/big.sdf"})
        messages = {
            "over HTTP: link": re.sub(r"'http:[^']*'", "'LINK'", made.text),
            "over HTTP: no destination": await agent.refused("upload_file"),
            "over HTTP: a path": await agent.refused("upload_file", path="model.pdb"),
            "over HTTP: long text": await agent.refused("upload_file", text="C" * 70_000),
            "over HTTP: there already": await agent.refused("upload_file", destination="lists/a.csv"),
        }
    async with recording() as platform, recording() as store:
        files = FileStore(platform, store)
        files.spoil = lambda request, reply: (
            type(reply)({"url": f"{store.url}/bucket/$(x)"}) if "signedUrl" in request.path else reply
        )
        async with running_site(bench, base_url=platform.url) as site, site.agent() as agent:
            messages["over HTTP: link for no command"] = await agent.refused("upload_file", destination="a.sdf")
    async with recording() as platform:
        platform.handler = lambda request: Reply(b"", 404) if request.method == "HEAD" else Reply({})
        async with bench.agent(base_url=platform.url) as agent:
            text = await agent.refused("upload_file", text="CCO", destination="a.csv")
            messages["upload: accepted and not there"] = text
    return messages


async def test_messages_about_files(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "deeporigin"
    (folder / "sets").mkdir(parents=True)
    (folder / ".git").mkdir()
    (folder / ".git" / "config").touch()
    (folder / "model.pdb").write_bytes(b"A" * 2_000)
    (folder / "link.pdb").symlink_to(tmp_path / "notes.txt")
    os.mkfifo(folder / "pipe")
    monkeypatch.setenv("HOME", str(tmp_path))
    messages = of_folders(tmp_path)
    async with bench.agent() as agent:
        with monkeypatch.context() as patch:
            messages |= await of_uploads(bench, agent, patch)
        messages |= await of_lists(bench, agent)
    messages |= await elsewhere(bench)
    assert_as_agreed("files", messages)

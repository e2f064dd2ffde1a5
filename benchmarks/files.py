"""Files down and up, and molecules in, against the official client and a bare httpx stream.

python -m benchmarks.files
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import httpx

from benchmarks.figures import Sample, Table, interleaved
from benchmarks.platforms import official, settings, simulator, store
from benchmarks.processes import Footprint, in_process_of_its_own
from benchmarks.store import BLOCK
from deeporigin_mcp.platform import DeepOriginClient
from deeporigin_mcp.platform.clients.import_records import LigandInput
from deeporigin_mcp.platform.clients.transfers import Transfer

POSES, POSE_BYTES, LATENCY_SECONDS = 200, 20_000, 0.05
LARGE_BYTES = 500_000_000
LINK_BYTES_PER_SECOND = 1e9 / 8
"""A link of 1 Gbit/s, faster than most that lead to a platform."""
SMILES = 500
POSES_AIM, MANY_AIM, STREAM_AIM, MEMORY_AIM_MIB = 8.0, 1.0, 0.9, 20.0
OURS, ONE_BY_ONE, MANY, BARE = "ours", "one_by_one", "many", "bare"
SUBSTITUENTS = (
    *("O", "N", "F", "Cl", "Br", "I", "S", "C#N", "C=O", "C(=O)O", "C(=O)N", "c1ccccc1", "c1ccncc1", "C1CC1"),
    *("C1CCC1", "OC(F)F", "S(C)(=O)=O", "[N+](=O)[O-]", "C(F)(F)F", "N1CCOCC1"),
)
PATHS = [f"poses/{POSE_BYTES}/{number}.sdf" for number in range(POSES)]
LARGE = f"large/{LARGE_BYTES}"


def smiles() -> list[str]:
    """Different molecules: chains of every length with every substituent."""
    return [f"{'C' * length}{part}" for part in SUBSTITUENTS for length in range(1, SMILES // len(SUBSTITUENTS) + 1)]


# Sides, each in a process of its own


async def poses_by_ours(base_url: str, folder: Path) -> dict[str, float]:
    async with DeepOriginClient(settings(base_url)) as client:
        started = time.perf_counter()
        targets = [(path, folder / Path(path).name) for path in PATHS]
        outcomes = await client.files.download_many([*targets])
        seconds = time.perf_counter() - started
        assert all(isinstance(outcome, Transfer) and outcome.checksum_verified for outcome in outcomes)
    return _checked(folder, seconds)


def poses_by_official(base_url: str, folder: Path, side: str) -> dict[str, float]:
    client = official(base_url)
    targets = {path: str(folder / Path(path).name) for path in PATHS}
    started = time.perf_counter()
    if side == MANY:
        client.files.download_many(files=targets)
    else:
        for path, target in targets.items():
            client.files.download(path, local_path=target)
    return _checked(folder, time.perf_counter() - started)


def _checked(folder: Path, seconds: float) -> dict[str, float]:
    assert [file.stat().st_size for file in folder.iterdir()] == [POSE_BYTES] * POSES
    return {"seconds": seconds}


async def large_by_ours(base_url: str, folder: Path, *, is_upload: bool) -> dict[str, float]:
    async with DeepOriginClient(settings(base_url)) as client:
        # What the first request imports is no part of a transfer.
        await client.files.download("warm/1000", folder / "warm")
        if is_upload:
            await client.files.upload(folder / "warm", "warm/1000", overwrite=True, direct=False)
            source = _made(folder / "source")
            with _measured() as measured:
                done = await client.files.upload(source, LARGE, overwrite=True, direct=False)
        else:
            with _measured() as measured:
                done = await client.files.download(LARGE, folder / "target")
        assert done.size == LARGE_BYTES
        assert done.checksum_verified
    return measured.figures


async def large_by_bare(base_url: str, folder: Path, *, is_upload: bool) -> dict[str, float]:
    """The least that httpx takes, async as ours is: no link, no checksum, no name at the end."""
    address = f"{base_url}/bucket/{LARGE}"
    async with httpx.AsyncClient(timeout=60) as http:
        await http.get(f"{base_url}/bucket/warm/1000")
        if is_upload:
            source = _made(folder / "source")
            headers = {"Content-Length": str(LARGE_BYTES)}
            with _measured() as measured:
                (await http.put(address, content=_pieces(source), headers=headers)).raise_for_status()
        else:
            target = folder / "target"
            with _measured() as measured, target.open("wb") as file:
                async with http.stream("GET", address) as response:
                    async for piece in response.aiter_bytes():
                        file.write(piece)
    return measured.figures


async def _pieces(source: Path) -> AsyncIterator[bytes]:
    with source.open("rb") as file:
        while piece := file.read(512 * 1024):
            yield piece


def _made(path: Path) -> Path:
    with path.open("wb") as file:
        for start in range(0, LARGE_BYTES, len(BLOCK)):
            file.write(BLOCK[: LARGE_BYTES - start])
    return path


class _measured:  # noqa: N801 (used as a context, as contextlib's own are)
    """Seconds and MiB of what happens inside."""

    def __enter__(self) -> _measured:
        # The peak of the making of the file is not that of the transfer.
        Path("/proc/self/clear_refs").write_text("5")
        self._before, self._started = Footprint.of().memory_mib, time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        seconds = time.perf_counter() - self._started
        self.figures = {"seconds": seconds, "mib": Footprint.of().peak_mib - self._before}


async def import_by_ours(base_url: str) -> dict[str, float]:
    async with DeepOriginClient(settings(base_url)) as client:
        done = await client.imports.ligands([LigandInput(each, f"m{n}") for n, each in enumerate(smiles())])
        assert sum(ligand is not None for ligand in done.ligands) == SMILES
        return {"requests": client.requests_sent}


def import_by_official(base_url: str) -> dict[str, float]:
    client = official(base_url)
    from deeporigin.drug_discovery import LigandSet

    ligands = LigandSet.from_smiles(smiles())
    ligands.sync(client=client, show_progress=False)
    assert len([ligand for ligand in ligands if ligand.id]) == SMILES
    return {"requests": client.sent}


# The measuring


def _child(what: str, side: str, base_url: str) -> Mapping[str, float]:
    return in_process_of_its_own("benchmarks.files", "--side", what, side, base_url)


def measure_poses(table: Table, repeats: int) -> None:
    with store(latency_seconds=LATENCY_SECONDS) as base_url:
        found = interleaved(
            {side: functools.partial(_child, "poses", side, base_url) for side in (OURS, ONE_BY_ONE, MANY)}, repeats
        )
    ours = found[OURS]["seconds"]
    for side, what, aim in (
        (ONE_BY_ONE, "a link and a GET for each pose in turn", POSES_AIM),
        (MANY, "its `download_many`", MANY_AIM),
    ):
        theirs = found[side]["seconds"]
        ratio = theirs.median / ours.median
        measured = f"{ours.told('ms', 1e3)} against {theirs.told('ms', 1e3)}: {ratio:.1f} times faster"
        table.add(f"{POSES} pose files down, against {what}", measured, f"≥ {aim:g} times", ratio >= aim)


def measure_large(table: Table, repeats: int) -> None:
    for link, bytes_per_second in (("", 0.0), (" over 1 Gbit/s", LINK_BYTES_PER_SECOND)):
        with store(bytes_per_second=bytes_per_second) as base_url:
            for what in ("down", "up"):
                sides = {side: functools.partial(_child, what, side, base_url) for side in (OURS, BARE)}
                found = interleaved(sides, 3 if bytes_per_second else repeats)
                _add_large(table, f"{LARGE_BYTES / 1e6:.0f} MB {what}{link}", found, has_memory=not link)


def _add_large(table: Table, what: str, found: Mapping[str, Mapping[str, Sample]], *, has_memory: bool) -> None:
    ours, bare = found[OURS], found[BARE]
    ratio = bare["seconds"].median / ours["seconds"].median
    measured = f"{_rate(ours['seconds'])} against {_rate(bare['seconds'])}: {ratio:.2f} times"
    table.add(f"{what}, against a bare httpx stream", measured, f"≥ {STREAM_AIM} times", ratio >= STREAM_AIM)
    if has_memory:
        aim, memory = f"≤ {MEMORY_AIM_MIB:.0f} MiB", ours["mib"]
        measured = f"{memory.told('MiB', digits=1)}; the bare stream {bare['mib'].told('MiB', digits=1)}"
        table.add(f"{what}, memory", measured, aim, memory.median <= MEMORY_AIM_MIB)


def _rate(seconds: Sample) -> str:
    return Sample(tuple(LARGE_BYTES / 1e6 / each for each in seconds.values)).told("MB/s")


def measure_import(table: Table) -> None:
    with simulator(1_000.0) as base_url:
        theirs = _child("import", ONE_BY_ONE, base_url)["requests"]
    with simulator(1_000.0) as base_url:
        ours = _child("import", OURS, base_url)["requests"]
    table.add(f"requests of {SMILES} imported SMILES", f"{ours:.0f} against {theirs:.0f}", "≤ theirs", ours <= theirs)


def _side(what: str, side: str, base_url: str) -> Mapping[str, float]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if what == "import":
            return asyncio.run(import_by_ours(base_url)) if side == OURS else import_by_official(base_url)
        if what == "poses":
            if side == OURS:
                return asyncio.run(poses_by_ours(base_url, folder))
            return poses_by_official(base_url, folder, side)
        if side == OURS:
            return asyncio.run(large_by_ours(base_url, folder, is_upload=what == "up"))
        return asyncio.run(large_by_bare(base_url, folder, is_upload=what == "up"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--side", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        print(json.dumps(_side(*options.side)))
        return 0
    table = Table("Files and molecules")
    measure_poses(table, options.repeats)
    measure_large(table, options.repeats)
    measure_import(table)
    table.note(
        f"Pose files of {POSE_BYTES / 1e3:.0f} kB, {LATENCY_SECONDS * 1e3:.0f} ms before each answer. Ours compares "
        "the MD5 of every file with the store's and gives a file its name at the end; the bare stream does neither, "
        "which is what loopback shows: MD5 takes as long as the transfer there. "
        "Memory is what the peak of the process grew by during the transfer."
    )
    return table.exit_code


if __name__ == "__main__":
    sys.exit(main())

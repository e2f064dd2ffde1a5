"""Use the platform client as a library, without MCP: list, quote, confirm within a limit, wait, read results.

    DO_ENV=local python examples/use_client_library.py "CC(=O)Oc1ccccc1C(=O)O" --limit 0.10

Predicts the AMES mutagenicity of the molecules given as SMILES.
"""

from __future__ import annotations

import argparse
import sys
from decimal import Decimal
from typing import Any

import anyio

from deeporigin_mcp.errors import DeepOriginError
from deeporigin_mcp.platform import DeepOriginClient, Execution

TOOL = "deeporigin.admet-properties"
QUOTE_ONLY = -1
"""`approveAmount` that asks for the price and starts nothing."""


async def show_latest(client: DeepOriginClient) -> None:
    """The three newest executions of the tool, and how many there are."""
    page = await client.executions.list(tool_key=TOOL, order="createdAt desc", page_size=3)
    print(f"{page['count']} executions of {TOOL}")
    for execution in map(Execution, page["data"]):
        print(f"  {execution.created_at}  {execution.status:10}  {execution.name}")


async def quote(client: DeepOriginClient, smiles: list[str]) -> Execution:
    """A priced execution that has not started."""
    project = client.settings.project_id or (await client.projects.list())["data"][0]["id"]
    data = {
        "name": f"AMES of {len(smiles)} molecules",
        "inputs": {"properties": ["ames"], "ligands": [{"smiles": molecule} for molecule in smiles]},
        "approveAmount": QUOTE_ONLY,
        "projectId": project,
    }
    return Execution(await client.executions.create(tool_key=TOOL, tool_version="latest", data=data))


async def stored_results(client: DeepOriginClient, execution_id: str) -> list[dict[str, Any]]:
    """The result rows of a run; they are stored a little after it ends, so this looks for up to a minute."""
    for _ in range(60):
        rows: list[dict[str, Any]] = (await client.results.page(compute_job_id=execution_id))["data"]
        if rows:
            return rows
        await anyio.sleep(1)
    return []


async def run(smiles: list[str], limit: Decimal) -> int:
    async with DeepOriginClient() as client:
        await show_latest(client)
        execution = await quote(client, smiles)
        price = execution.quoted_price
        print(f"Quote: {price} USD for {execution.execution_id}")
        if price is None or price > limit:
            print(f"Not started: the limit is {limit} USD.", file=sys.stderr)
            return 1
        await client.executions.confirm(execution.execution_id)
        [dto] = await client.executions.wait([execution.execution_id], timeout=3600)
        final = Execution(dto)
        print(f"{final.status} after {final.runtime_seconds} s for {final.cost} USD {final.status_reason}")
        for row in await stored_results(client, final.execution_id):
            print(f"  {row['data']}")
        return 0 if final.status == "Completed" else 1


def main() -> int:
    parser = argparse.ArgumentParser(description="Predict mutagenicity on the Deep Origin platform.")
    parser.add_argument("smiles", nargs="+", help="molecules")
    parser.add_argument(
        "--limit", type=Decimal, default=Decimal("0.0"), help="USD to spend at most (default: %(default)s)"
    )
    options = parser.parse_args()
    try:
        return anyio.run(run, options.smiles, options.limit)
    except DeepOriginError as error:
        print(f"{error} {error.next_step}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())

"""A valid call of every tool."""

from __future__ import annotations

from typing import Any

from tests.support.bench import docking

ID = "3f0c9a52-6f0e-4f0b-9a55-0d3b6e1c7a11"
CALLS: dict[str, dict[str, Any]] = {
    "list_executions": {},
    "search_executions": {},
    "get_execution": {"execution_id": ID},
    "create_execution": docking(),
    "confirm_execution": {"execution_id": ID},
    "cancel_execution": {"execution_id": ID},
    "wait_executions": {"execution_ids": [ID]},
    "find_platform_tools": {},
    "describe_platform_tool": {"tool_key": "deeporigin.docking"},
    "get_execution_logs": {"execution_id": ID},
    "get_execution_results": {"execution_id": ID},
    "find_molecules": {"kind": "protein"},
    "import_molecules": {"kind": "ligands", "smiles": ["CCO"]},
    "list_files": {},
    "upload_file": {"text": "CCO", "destination": "uploads/hits.csv"},
    "download_files": {"execution_id": ID},
    "summarize_spending": {},
    "get_workspace": {},
}

"""An async client of the Deep Origin platform, usable without MCP.

Rooms, from the bottom; imports go down only: `records/` what the wire says; `transport/` one request with
authorisation, retries and errors; `waiting/` the wait engine; `clients/` one resource client a file; `client.py`.

Requests equal the official client's (deeporigin 5.4) byte for byte, except, on purpose:

1.  ids are percent-encoded in paths, and refused when empty;
2.  `Retry-After` is honoured, and pauses between attempts are spread by chance;
3.  a confirmation is never repeated blindly: after a lost response the execution is read first;
4.  a refusal by licence, plan or money is an error of its own, wherever the platform puts it;
5.  `app` is `deeporigin-mcp`, `session` is the server's own, and the user agent names this package;
6.  the token goes to the base URL's own origin only: redirects are not followed;
7.  all pages of a list are read concurrently, and their seams are checked;
8.  a wait follows the event stream, and polls each id at most once per cycle, all of them together;
9.  a page size or page number that the platform would refuse is refused before it is sent;
10. a client without a project takes the project that a create names;
11. the health of the services is requested without the token;
12. a response about another execution than requested is an error;
13. what a wait has read once is polled again before a refusal of it ends the wait;
14. paths of files are percent-encoded, `#record-<n>` is cut off, and names that others cannot read are not written;
15. files that the platform wrote are left alone, and what exists is not overwritten unless that is asked for;
16. transfers are verified by checksum or size, uncompressed, and go on after a cut where the store allows it;
17. a refusal by the file store is final, and a signed link is in no message, traceback or log;
18. a creation that may have happened is looked up and not repeated;
19. an import's status is checked and its reason kept; a free one starts at once, a priced one waits;
20. names of tables are not looked up before a search;
21. a signed link is followed without the token, to any host, but from https:// only to https://;
22. the staged list of SMILES of a refused import is removed;
23. the ids of registered poses are read by one search.

Tests name these differences by their numbers (`tests/platform/test_wire.py`, from 14 on `test_wire_molecules.py`).
"""

import importlib
from typing import TYPE_CHECKING, Any

from deeporigin_mcp.platform.client import DeepOriginClient
from deeporigin_mcp.platform.records.execution import Execution
from deeporigin_mcp.platform.records.queries import ListQuery, SearchQuery
from deeporigin_mcp.platform.records.tool_definition import ToolDefinition
from deeporigin_mcp.platform.transport.retry import RetryPolicy
from deeporigin_mcp.platform.transport.timing import Timing

if TYPE_CHECKING:
    from deeporigin_mcp.platform.clients.import_records import Import, LigandInput
    from deeporigin_mcp.platform.clients.transfers import Transfer
    from deeporigin_mcp.platform.records.entities import Ligand, Pocket, Pose, Protein
    from deeporigin_mcp.platform.records.files import RemoteFile

__all__ = [
    "DeepOriginClient",
    "Execution",
    "Import",
    "Ligand",
    "LigandInput",
    "ListQuery",
    "Pocket",
    "Pose",
    "Protein",
    "RemoteFile",
    "RetryPolicy",
    "SearchQuery",
    "Timing",
    "ToolDefinition",
    "Transfer",
]

_LATER = {
    "Transfer": "clients.transfers",
    **dict.fromkeys(("Import", "LigandInput"), "clients.import_records"),
    **dict.fromkeys(("Ligand", "Pocket", "Pose", "Protein"), "records.entities"),
    "RemoteFile": "records.files",
}
"""Where the rest is imported from when it is used: a server starts without."""


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_LATER[name]}"), name)

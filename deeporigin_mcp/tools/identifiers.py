"""What an id is that is no execution id, and the call that goes on from it (platform-facts 6)."""

from __future__ import annotations

import contextlib
import re
from typing import NamedTuple

from deeporigin_mcp.errors import DeepOriginError, NotFoundError
from deeporigin_mcp.platform import DeepOriginClient, Execution, ListQuery
from deeporigin_mcp.platform.failures import one_line
from deeporigin_mcp.platform.wire import Json, rows_of
from deeporigin_mcp.platform.wording import word
from deeporigin_mcp.tools import steps
from deeporigin_mcp.tools.nearness import nearest

FORM = "An execution_id has 36 characters, such as 3f0c9a52-6f0e-4f0b-9a55-0d3b6e1c7a11"
RECENT = 100
"""Executions that a wrong id is compared with."""
LEAST_ALIKE = 0.88
"""How alike two ids are of which one is a slip of the other: three or four of 36 characters differ."""

_UUID = re.compile(r"(?<![0-9a-f])[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?![0-9a-f])")
_FRIENDLY = re.compile(r"[0-9A-HJKMNP-TV-Z]{13}|[0-9a-f]{16}")
_RESOURCE = re.compile(r"(?:workflow-)?((?=[a-z0-9]*[0-9])[0-9a-z]{20,21})(?:-\d+)?")
_TRANSACTION = re.compile(r"[0-9a-f]{24}")
_HEX = re.compile(r"[0-9a-f][0-9a-f-]{3,60}")
_TOOL_KEY = re.compile(r"[a-z][a-z0-9-]*(?:\.[a-z][a-z0-9-]*)+")
_PLACEHOLDER = re.compile(r"[<{\[].*[>}\]]|execution_?id|(?:the )?(?:latest|last|newest)(?: \w+)?", re.IGNORECASE)


class Stray(NamedTuple):
    """An id that names no execution.

    `told` says what it is; `next_step` is the call that goes on; `lookup` says how its execution may be found.
    """

    told: str
    next_step: str
    lookup: str = ""


def is_execution_id(given: str) -> bool:
    return _UUID.fullmatch(given.strip()) is not None


def stray(given: str, *, action: str | None = None) -> Stray:
    """What an id is that the tools service does not know.

    Args:
        action: the tool that was called with it, where the right id should go to the same tool.
    """
    name, shown = given.strip(), one_line(given, 80)
    if _UUID.fullmatch(name):
        return Stray(f"There is no execution {shown} in this organisation.", _LISTS, "alike")
    contained = list(dict.fromkeys(_UUID.findall(name.lower()) or _UUID.findall(_hyphenated(name.lower()))))
    if len(contained) > 1:
        # Which one is meant must not be guessed: the next call may cancel or pay.
        return Stray(f"{shown!r} holds several ids: {', '.join(contained[:4])}.", f"Give one alone; {_LISTS}")
    if contained:
        is_one = contained[0] == name.lower()
        told = "is an execution_id in capital letters." if is_one else "is no execution_id by itself, but holds one."
        return Stray(f"{shown!r} {told}", f"Give it alone and in lower case: {_call(action, contained[0])}.")
    if _FRIENDLY.fullmatch(name):
        reads = steps.call("get_execution", execution_id=name, source="data_platform")
        return Stray(
            f"{shown} is an id of the data platform, not of the tools service: of an execution's record there, or of "
            "a project, ligand, protein or result.",
            f"If it is a record of an execution, {reads} names its execution_id.",
            "record",
        )
    if resource := _RESOURCE.fullmatch(name):
        return Stray(
            f"{shown} names a workflow inside the platform (resourceId {resource[1]}); it is no execution_id.",
            f"{FORM}; {_LISTS}",
            "resource",
        )
    if _TRANSACTION.fullmatch(name):
        return Stray(f"{shown} is the id of a billing transaction, not an execution_id.", f"{FORM}; {_LISTS}")
    if _TOOL_KEY.fullmatch(name):
        runs = steps.call("list_executions", tool_key=name)
        return Stray(f"{shown} is a tool_key, not an execution_id.", f"{runs} shows the runs of this tool.")
    if _PLACEHOLDER.fullmatch(name):
        newest = steps.call("list_executions", page_size=1)
        return Stray(f"{shown!r} is a placeholder, not an execution_id.", f"{newest} shows the newest execution.")
    if _HEX.fullmatch(name.lower()):
        return Stray(
            f"There is no execution {shown} in this organisation: it has {len(name)} characters, and so is cut or "
            "mistyped.",
            f"{FORM}; {_LISTS}",
            "alike",
        )
    named = steps.call("search_executions", filters=[{"column": "name", "op": "icontains", "value": shown}])
    return Stray(
        f"There is no execution {shown} in this organisation.",
        f"{FORM}. If this is a run's name, {named} finds it; {_LISTS}",
    )


_LISTS = "list_executions shows those that exist."


def not_found(execution_id: str, error: DeepOriginError, *, action: str | None = None) -> NotFoundError:
    """Why there is no such execution, and what to call instead; nothing is looked up."""
    found = stray(execution_id, action=action)
    return NotFoundError(
        found.told, next_step=found.next_step, http_status=error.http_status, request_id=error.request_id
    )


async def explained_miss(client: DeepOriginClient, execution_id: str, error: DeepOriginError) -> NotFoundError:
    """As `not_found`, with one look-up that may name the execution that was meant."""
    found = stray(execution_id)
    meant, why = "", ""
    try:
        meant, why = await _meant(client, execution_id.strip(), found.lookup)
    except NotFoundError:
        return await _other_record(client, execution_id.strip(), error)
    except DeepOriginError:
        pass
    if not meant:
        return not_found(execution_id, error)
    reads = steps.call("get_execution", execution_id=meant)
    return NotFoundError(
        found.told, next_step=f"{why}: {reads}.", http_status=error.http_status, request_id=error.request_id
    )


async def _other_record(client: DeepOriginClient, name: str, error: DeepOriginError) -> NotFoundError:
    """An id of the data platform that no execution has: a project's, or one of a molecule or a result."""
    rows: list[Json] = []
    with contextlib.suppress(DeepOriginError):
        rows = rows_of(await client.projects.get(project_id=name))
    if any(row.get("id") == name for row in rows):
        told = f"{name} is a project_id, not an execution_id."
        next_step = steps.call("list_executions", project_id=name) + " shows the runs of this project."
    else:
        kind = _KINDS.get(name[:2], "a project, ligand, protein or result")
        told = f"{name} is an id of the data platform, but no execution's: probably that of {kind}."
        next_step = f"{FORM}; {_LISTS}"
    return NotFoundError(told, next_step=next_step, http_status=error.http_status, request_id=error.request_id)


_KINDS = {"09": "a project", "08": "a ligand or protein", "0A": "a result"}
"""What ids of the data platform have been seen to begin with."""


async def _meant(client: DeepOriginClient, name: str, lookup: str) -> tuple[str, str]:
    """The execution_id that was meant and why; empty if none can be found."""
    if lookup == "record":
        row = await client.executions.from_data_platform(name)
        rows = rows_of(row) or [row]
        return word(rows[0].get("compute_job_id")), "It is the record of this execution"
    if lookup not in ("alike", "resource"):
        return "", ""
    page = await client.listing.page(ListQuery(order="createdAt desc"), 0, RECENT)
    rows = rows_of(page)
    if lookup == "resource":
        resource = (_RESOURCE.fullmatch(name) or [name, name])[1]
        same = [Execution(row).execution_id for row in rows if row.get("resourceId") == resource]
        return (same[0] if same else ""), "It belongs to this execution"
    ids = [Execution(row).execution_id for row in rows]
    near = nearest(name, ids, count=1, cutoff=LEAST_ALIKE)
    return (near[0] if near else ""), "Most like it is this execution; make sure that it is the one that is meant"


def _hyphenated(name: str) -> str:
    """32 digits without hyphens, as some programs write a UUID, with them."""
    digits = re.search(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])", name)
    if digits is None:
        return ""
    word = digits[0]
    return "-".join((word[:8], word[8:12], word[12:16], word[16:20], word[20:]))


def _call(action: str | None, name: str) -> str:
    if action == "wait_executions":
        return steps.call(action, execution_ids=[name])
    return steps.call(action or "get_execution", execution_id=name)


def not_on_data_platform(data_platform_id: str, error: DeepOriginError) -> NotFoundError:
    """Why the data platform has no such record, and what to call instead."""
    name, shown = data_platform_id.strip(), one_line(data_platform_id, 80)
    if is_execution_id(name):
        told = f"{shown} is an id of the tools service, not of the data platform."
        next_step = steps.call("get_execution", execution_id=name) + " reads it."
    elif _FRIENDLY.fullmatch(name):
        told = f"There is no execution {shown} on the data platform; such ids also name projects, ligands and results."
        next_step = "search_executions shows the records of executions."
    else:
        found = stray(data_platform_id)
        told = f"There is no execution {shown} on the data platform."
        next_step = f"Its ids have 13 characters; search_executions shows them. {found.next_step}"
    return NotFoundError(told, next_step=next_step, http_status=error.http_status, request_id=error.request_id)

"""A platform with history: runs started earlier that live on, and static executions in the shapes of both eras."""

import copy
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from deeporigin_mcp.simulator.model.clock import stamp
from deeporigin_mcp.simulator.model.prices import Item, items_of, quotation, total_of, transaction
from deeporigin_mcp.simulator.model.validation import checked_inputs
from deeporigin_mcp.simulator.state.base import State
from deeporigin_mcp.simulator.state.execution import Execution
from deeporigin_mcp.simulator.state.files import put_file
from deeporigin_mcp.simulator.state.lifecycle import dispatch, new_execution, stored_dto
from deeporigin_mcp.simulator.state.organisations import Organisation, entity_row

_NOT_STARTED = {"Created", "Queued", "Quoted", "InsufficientFunds", "FailedQuotation"}
_FINISHED = {"Completed", "Succeeded", "Failed"}
_UNPAID = {"Quoted", "InsufficientFunds", "FailedQuotation"}
_KEYS_OF_2026 = (
    *("projectId", "session", "visibility", "app", "tag", "billing"),
    *("approveAmount", "executionType", "estimatorOutput"),
)


class Platform(State):
    """A simulated platform: its state, and ways to put history into it."""

    def seed_run(
        self,
        tool_key: str,
        inputs: dict[str, Any],
        *,
        ago_seconds: float,
        org: str = "deeporigin",
        tool_version: str = "latest",
        project_id: str | None = "",
        started: bool = True,
        created_by: str = "",
        **body: Any,
    ) -> str:
        """Add a run that somebody created and started earlier, and that lives on as the state machine has it.

        Its inputs and its age decide whether it is running, completed, failed or out of money, with the progress,
        logs, results and charges of such a run. It is not among `creates` and `confirms`.

        Args:
            tool_key: Tool of the catalogue.
            inputs: Inputs that the tool accepts.
            ago_seconds: How long ago, simulated seconds.
            org: Organisation key.
            tool_version: Version selector.
            project_id: Project id; empty string for the organisation's first project, None for none.
            started: False leaves it `Quoted`.
            created_by: User id; empty string for the organisation's first user.
            body: Further keys of the create request, such as `name`, `session` or `visibility`.

        Returns:
            Its id.

        Raises:
            ValueError: No such tool, or inputs that it refuses.
        """
        organisation = self.organisations[org]
        definition = self.catalogue.resolve(tool_key, tool_version)
        if definition is None:
            raise ValueError(f"there is no tool {tool_key} {tool_version}")
        checked, problems = checked_inputs(definition, inputs)
        if problems:
            raise ValueError(f"{tool_key} refuses these inputs: {problems}")
        whole = {**self._body(organisation, project_id), **body}
        user = created_by or str(organisation.users[0]["id"])
        at = self.clock.now() - timedelta(seconds=ago_seconds)
        execution, _ = new_execution(self, organisation, definition, whole, checked, user, at)
        if started and execution.stored["status"] == "Quoted":
            dispatch(self, organisation, execution, at)
        return self.add(execution).id

    def seed_past_runs(self) -> list[str]:
        """Add the finished runs that come with the organisations, for their pockets, poses and files; their ids."""
        return [
            self.seed_run(**{**run, "org": organisation.key})
            for organisation in self.organisations.values()
            for run in organisation.runs
        ]

    def seed_entity(
        self,
        table: str,
        *,
        org: str = "deeporigin",
        project_id: str | None = "",
        created_at: datetime | None = None,
        **columns: Any,
    ) -> str:
        """Add a ligand or a protein that has been there for a while, without a file of its own.

        Args:
            table: `ligands` or `proteins`.
            org: Organisation key.
            project_id: Project id; empty string for the organisation's first project, None for none.
            created_at: None for now.
            columns: Such as `smiles`, `name`, `protein_name`, `file_path`, `state`, `deleted`.

        Returns:
            Its id.
        """
        organisation = self.organisations[org]
        project = next(iter(organisation.projects)) if project_id == "" else project_id
        identifier = str(columns.pop("id", "") or self.ids.friendly("08"))
        created = stamp(created_at or self.clock.now())
        organisation.entities[table][identifier] = entity_row(table, identifier, created, project, **columns)
        return identifier

    def seed_executions(
        self,
        *,
        org: str = "deeporigin",
        count: int = 1,
        status: str | Sequence[str] = "Completed",
        tool_key: str = "deeporigin.docking",
        tool_version: str | None = None,
        era: str = "2026",
        project_id: str | None = "",
        session: str | None = None,
        name: str | None = None,
        visibility: str = "visible",
        start: datetime | None = None,
        spacing_seconds: float = 60.0,
        overrides: dict[str, Any] | None = None,
    ) -> list[str]:
        """Add finished history cheaply: static rows, `spacing_seconds` apart, the last one the newest.

        Args:
            org: Organisation key.
            count: How many.
            status: One status for all, or several taken in turn. Rows never change by time; a seeded
                `Quoted` one can be confirmed and then lives, seeded `Running` ones can be cancelled.
            tool_key: Tool of the catalogue.
            tool_version: Exact version; None for the newest.
            era: `2026`, or `2025`: `Succeeded`, plain-text progress, full cluster, no 2026 keys.
            project_id: Project id; empty string for the organisation's first project, None for none.
            session: `session` of each row.
            name: `name` of each row; None for a numbered one.
            visibility: `hidden` keeps the rows out of data-platform searches.
            start: `createdAt` of the first; None to end one spacing before now.
            spacing_seconds: Distance between rows.
            overrides: Keys put over each DTO.

        Returns:
            Their ids, oldest first.
        """
        organisation = self.organisations[org]
        old = era == "2025"
        statuses = [status] if isinstance(status, str) else list(status)
        definition = self.catalogue.resolve(tool_key, tool_version or "latest")
        tool = {"key": tool_key, "version": definition.version if definition else tool_version or "1.0.0"}
        inputs: dict[str, Any] = {}
        items: list[Item] = []
        if definition is not None and definition.example is not None:
            inputs, _ = checked_inputs(definition, definition.example)
            items = items_of(definition, inputs, len(organisation.entities["ligands"]))
        body = {
            **self._body(organisation, project_id),
            "session": session,
            "visibility": visibility,
            "metadata": {},
        }
        first = start or self.clock.now() - timedelta(seconds=spacing_seconds * count)
        ids = []
        with self.lock:
            for index in range(count):
                created = first + timedelta(seconds=spacing_seconds * index)
                stored = stored_dto(self, organisation, tool, body, str(organisation.users[0]["id"]), created)
                stored |= {"name": name or f"Seeded run {index + 1}", "userInputs": copy.deepcopy(inputs)}
                stored |= self._seen_at(stored, statuses[index % len(statuses)], created, items)
                if old:
                    _make_old(stored, organisation)
                execution = Execution(
                    clock=self.clock,
                    org=organisation.key,
                    stored={**stored, **(overrides or {})},
                    data_platform_id=self.ids.friendly("09" if old else "0A"),
                    # Without inputs there is nothing that results could be derived from.
                    definition=definition if inputs else None,
                    items=items,
                    charged_at=created,
                )
                if execution.stored["billingTransaction"] is not None:
                    execution.charged = total_of(items)
                ids.append(self.add(execution).id)
        return ids

    def _body(self, organisation: Organisation, project_id: str | None) -> dict[str, Any]:
        """A create request for the first cluster, in a project; an empty project id is the first one."""
        return {
            "clusterId": organisation.clusters[0]["id"],
            "approveAmount": -1,
            "app": "python-client",
            "projectId": next(iter(organisation.projects)) if project_id == "" else project_id,
        }

    def _seen_at(self, stored: dict[str, Any], status: str, created: datetime, items: list[Item]) -> dict[str, Any]:
        """What a status adds to the DTO of a row that never changes."""
        started = None if status in _NOT_STARTED else stamp(created + timedelta(seconds=4))
        finished = stamp(created + timedelta(seconds=50)) if status in _FINISHED else None
        paid = status not in _UNPAID
        return {
            "status": status,
            "statusReason": {"message": "the run failed"} if status == "Failed" else None,
            "updatedAt": finished or started or stored["createdAt"],
            "startedAt": started,
            "completedAt": finished,
            "approveAmount": -1 if status == "Quoted" else None,
            "quotationResult": quotation(items, stored["orgKey"]),
            "billingTransaction": transaction(items, total_of(items), stored["orgKey"], self.ids) if paid else None,
        }

    def add_file(self, path: str, content: bytes = b"", *, org: str = "deeporigin") -> None:
        """Put a file into an organisation, over whatever is there.

        Args:
            path: Path on the platform.
            content: Its bytes.
            org: Organisation key.
        """
        put_file(self, self.organisations[org], path, content)

    def add_execution(self, dto: dict[str, Any], *, org: str = "deeporigin") -> str:
        """Put an arbitrary raw DTO in, served exactly as given (a missing `executionId` is made up).

        Args:
            dto: The DTO, quirks included.
            org: Organisation key.

        Returns:
            Its id.
        """
        execution = Execution(
            clock=self.clock,
            org=org,
            stored={"executionId": self.ids.uuid4(), **dto},
            data_platform_id=self.ids.friendly("0A"),
        )
        tool, inputs = execution.tool, execution.stored.get("userInputs")
        definition = self.catalogue.resolve(str(tool.get("key")), str(tool.get("version")))
        # Inputs that the tool would have refused explain no results.
        if definition is not None and isinstance(inputs, dict) and not checked_inputs(definition, inputs)[1]:
            execution.definition = definition
        return self.add(execution).id


def _make_old(stored: dict[str, Any], organisation: Organisation) -> None:
    """Turn a DTO into one of 2025: other words, the whole cluster, and none of the later keys."""
    for key in _KEYS_OF_2026:
        del stored[key]
    if stored["status"] == "Completed":
        stored["status"] = "Succeeded"
    finished = stored["completedAt"] is not None
    stored |= {
        "createdBy": f"google-apps|{organisation.users[0]['email']}",
        "cluster": organisation.clusters[0],
        "quotationResult": None,
        "billingTransaction": None,
        "progressReport": "total_num_ligands = 2\nligand docked 1\nligand docked 2" if finished else None,
        "resourcesUsed": None,
        "resourcesRequested": None,
    }

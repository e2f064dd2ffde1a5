"""Executions: list, search, get, create, confirm, cancel, wait (platform-facts 11)."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from deeporigin_mcp.errors import (
    ArgumentError,
    DeepOriginError,
    InvalidRequestError,
    NetworkError,
    OutcomeUnknownError,
    PlatformError,
    StateConflictError,
)
from deeporigin_mcp.platform.clients.clusters import Clusters
from deeporigin_mcp.platform.clients.listing import Listing
from deeporigin_mcp.platform.records.execution import Execution
from deeporigin_mcp.platform.records.queries import ListQuery, SearchQuery
from deeporigin_mcp.platform.records.sanitizing import word
from deeporigin_mcp.platform.records.values import Json
from deeporigin_mcp.platform.transport import tracing
from deeporigin_mcp.platform.transport.http_errors import restriction_in
from deeporigin_mcp.platform.transport.requests import CREATE_TIMEOUT_SECONDS, Transport
from deeporigin_mcp.platform.transport.responses import (
    expect_execution,
    expect_object,
)
from deeporigin_mcp.platform.transport.scope import Scope, segment
from deeporigin_mcp.platform.transport.timing import Timing
from deeporigin_mcp.platform.waiting.engine import wait_for_all
from deeporigin_mcp.platform.waiting.observer import Observer

VISIBILITIES = ("visible", "hidden")
CHECK_FIRST = "Check whether it was done before repeating it."


class Executions:
    """`client.executions`: the eight functions of the official client, async. Returns the platform's objects unchanged.

    Deliberate differences from the official client are listed in `platform/__init__.py`.
    """

    def __init__(
        self,
        transport: Transport,
        scope: Scope,
        clusters: Clusters,
        listing: Listing,
        observer: Observer,
        timing: Timing,
    ) -> None:
        self._transport = transport
        self._scope = scope
        self._clusters = clusters
        self._observer = observer
        self._timing = timing
        self._listing = listing

    async def list(
        self,
        *,
        page: int | None = None,
        page_size: int | None = None,
        order: str | None = None,
        tool_key: str | None = None,
        session: str | None = None,
        project_id: str | None = None,
        created_after: datetime | str | None = None,
        fetch_all_pages: bool = False,
    ) -> Json:
        """List executions of the organisation (platform-facts 1.1).

        Args:
            page: 0-based; ignored with `fetch_all_pages`.
            page_size: 1 to 10,000; with `fetch_all_pages` None means 1000.
            order: such as `createdAt desc`; without it the order is arbitrary.
            created_after: strictly after; a naive datetime is UTC, text is passed on as it is.

        Returns:
            `{"data": [DTO, …], "count": n}`, n being all that match.
        """
        query = ListQuery(
            tool_key=tool_key,
            session=session,
            project_id=project_id,
            created_after=created_after,
            order=order,
        )
        if fetch_all_pages:
            return await self._listing.all(query, page_size)
        return await self._listing.page(query, page, page_size)

    async def search(
        self,
        *,
        project_id: str | None = None,
        tool_key: builtins.list[str] | str | None = None,
        status: str | None = None,
        extra_props: builtins.list[dict[str, Any]] | None = None,
        limit: int | None = None,
        offset: int | None = None,
        select: builtins.list[str] | None = None,
        with_total_count: bool = False,
        compute_job_id: str | None = None,
    ) -> Json:
        """Search the data platform's execution rows: snake_case, with `tags` and `compute_metadata`.

        Args:
            tool_key: one key (equals) or several (in); an empty text means any.
            extra_props: further `{column, op, value}` conditions.

        Returns:
            The raw response, `{"data": [row, …], "meta": {…}}` (platform-facts 1.8).
        """
        query = SearchQuery(
            project_id=project_id,
            tool_key=tool_key,
            status=status,
            compute_job_id=compute_job_id,
            props=extra_props or (),
            limit=limit,
            offset=offset,
            select=select,
            with_total_count=with_total_count,
        )
        return await self._listing.search(query)

    async def get(self, execution_id: str) -> Json:
        """One execution with its v2 progress tree (platform-facts 1.2).

        Raises:
            NotFoundError: no such execution in this organisation.
        """
        return await self._observer.read(execution_id)

    async def create(
        self, *, tool_key: str, tool_version: str, data: Mapping[str, Any], timeout: float | None = None
    ) -> Json:
        """Create an execution. Sent once and never repeated (platform-facts 1.4).

        Args:
            tool_version: exact version, a major such as `4`, or `latest`.
            data: the body; project, cluster, app and session are filled in.
            timeout: seconds; None means 600, because the response to a synchronous run comes at its end.

        Raises:
            ArgumentError: no project, another project than the client's, or an unknown visibility; nothing was sent.
            RestrictionError: licence, plan or money refuse it; `error.execution` is the DTO if there is one.
            OutcomeUnknownError: it was sent and the response was lost. It may exist.
        """
        body = dict(data)
        if body.get("visibility") is None:
            body.pop("visibility", None)
        elif body["visibility"] not in VISIBILITIES:
            raise ArgumentError(
                f"Invalid visibility {body['visibility']!r}. Valid: {' or '.join(VISIBILITIES)}, or leave it out."
            )
        body["projectId"] = self._scope.project_for(body.get("projectId"))
        path = (
            f"/tools/{self._scope.org_segment}/tools/"
            f"{segment(tool_key, 'tool_key')}/{segment(tool_version, 'tool_version')}/executions"
        )
        if "clusterId" not in body:
            body["clusterId"] = await self._clusters.default_id()
        body["app"] = self._scope.app
        body["session"] = self._scope.session
        if self._scope.billing_tag:
            body.setdefault("billing", self._scope.billing_tag)
        what = f"create a {tool_key} execution"
        dto = await self._send_once("POST", path, what, CREATE_TIMEOUT_SECONDS if timeout is None else timeout, body)
        _refuse_restricted(dto)
        if not isinstance(dto, dict) or not Execution(dto).execution_id:
            shape = "empty" if dto is None else "without an id" if isinstance(dto, dict) else "not an object"
        elif _is_another(Execution(dto), tool_key, body):
            shape = "about another execution"
        else:
            return dto
        raise OutcomeUnknownError(
            f"The response to {what} is {shape}, so its id is unknown.",
            next_step=CHECK_FIRST,
            outcome="unknown",
            request_id=tracing.count_unreadable(),
        )

    async def confirm(self, execution_id: str, *, timeout: float | None = None, retry: bool = True) -> Json:
        """Start a quoted execution; this is what spends money (platform-facts 1.5).

        Never repeated blindly: if the response is lost, the execution is read, and only with `retry` and while it is
        still `Quoted` is the confirmation sent a second time.

        Args:
            timeout: seconds; None means 10. The response to a synchronous run comes at its end.

        Raises:
            RestrictionError: money, licence or plan refuse it.
            StateConflictError: it is not `Quoted`.
            OutcomeUnknownError: the response was lost and the state cannot be read either.
        """
        path = f"{self._scope.executions_path}/{segment(execution_id, 'execution_id')}:confirm"
        what = f"confirm execution {execution_id}"
        try:
            dto = await self._send_once("PATCH", path, what, timeout)
        except OutcomeUnknownError as lost:
            dto = await self._state_after(execution_id, lost)
            if Execution(dto).status == "Quoted":
                if not retry:
                    raise
                try:
                    dto = await self._send_once("PATCH", path, what, timeout)
                except StateConflictError:
                    # The first one took effect after all.
                    dto = await self._state_after(execution_id, lost)
        if isinstance(dto, dict) and not Execution(dto).execution_id:
            # A refusal need not be the execution's record.
            _refuse_restricted(dto)
        try:
            dto = expect_execution(dto, what, execution_id)
        except PlatformError as unreadable:
            unshown = OutcomeUnknownError(
                f"The platform accepted the confirmation, but the new state is unknown: {unreadable}",
                next_step=CHECK_FIRST,
                outcome="unknown",
                request_id=unreadable.request_id,
            )
            dto = await self._state_after(execution_id, unshown)
        _refuse_restricted(dto)
        return dto

    async def cancel(self, execution_id: str, *, even_quoted: bool = False) -> None:
        """Cancel an execution that is not over; returns early, sending nothing, if it is (platform-facts 1.6).

        Args:
            even_quoted: also try it with a quote, which the platform may allow (2.6); else quotes are left alone.

        Raises:
            StateConflictError: the platform refuses it, and the execution is not over; InvalidRequestError likewise.
        """
        current = Execution(await self.get(execution_id))
        if current.is_terminal or (current.is_settled and not even_quoted):
            return
        what = f"cancel execution {execution_id}"
        path = f"{self._scope.executions_path}/{segment(execution_id, 'execution_id')}:cancel"
        try:
            response = await self._transport.send("PATCH", path, what=what)
            if isinstance(response, dict) and "executionId" in response:
                expect_execution(response, what, execution_id)
        except (StateConflictError, InvalidRequestError):
            # It ended between the two requests; that it is over is all that the caller wants.
            if not Execution(await self.get(execution_id)).is_terminal:
                raise

    async def wait(
        self,
        executions: str | builtins.list[str],
        *,
        poll_interval: float = 5.0,
        timeout: float | None = None,
    ) -> builtins.list[Json]:
        """Wait until all executions are terminal or `Quoted`.

        Args:
            poll_interval: seconds between two polls of an execution.
            timeout: seconds in all; None waits as long as it takes.

        Returns:
            The latest DTOs, one per input, in input order.

        Raises:
            ArgumentError: (a ValueError) an empty list, an empty id, or an interval that is not positive.
            WaitTimeoutError: (a TimeoutError) the timeout came first.
            RestrictionError: a single id, given as text, ended for lack of money or licence.
        """
        ids = [executions] if isinstance(executions, str) else list(executions)
        found = await wait_for_all(
            self._observer, ids, poll_interval_seconds=poll_interval, timeout_seconds=timeout, timing=self._timing
        )
        if isinstance(executions, str) and (restriction := restriction_in(found[0])):
            raise restriction
        return found

    async def from_data_platform(self, data_platform_execution_id: str) -> Json:
        """The data platform's record of an execution; its id is not the `execution_id` (platform-facts 1.9)."""
        what = f"get data-platform execution {data_platform_execution_id}"
        response = await self._transport.send(
            "GET",
            f"/data-platform/{self._scope.org_segment}/executions/"
            f"{segment(data_platform_execution_id, 'data_platform_execution_id')}",
            what=what,
        )
        return expect_object(response, what)

    async def _send_once(
        self, method: str, path: str, what: str, timeout_seconds: float | None, body: Any = None
    ) -> Any:
        """Send what must not be repeated. A lost response becomes `OutcomeUnknownError`; a refusal stays what it is."""
        try:
            return await self._transport.send(
                method, path, what=what, body=body, timeout_seconds=timeout_seconds, attempts=1
            )
        except (NetworkError, PlatformError) as error:
            redirected = error.http_status is not None and error.http_status < 400
            if redirected or (isinstance(error, NetworkError) and error.nothing_sent):
                raise
            raise OutcomeUnknownError(
                str(error),
                next_step=CHECK_FIRST,
                outcome="unknown",
                http_status=error.http_status,
                request_id=error.request_id,
            ) from None

    async def _state_after(self, execution_id: str, lost: OutcomeUnknownError) -> Json:
        try:
            return await self.get(execution_id)
        except DeepOriginError:
            raise lost from None


def _is_another(execution: Execution, tool_key: str, body: Json) -> bool:
    """Whether a DTO contradicts the request that is said to have created it; a missing field contradicts nothing."""
    sent = body.get("metadata")
    # Numbers may come back changed, such as those beyond 64 bits.
    noted = {name: value for name, value in sent.items() if isinstance(value, str)} if isinstance(sent, dict) else {}
    return (
        execution.tool_key not in ("", word(tool_key.strip()))
        or execution.session not in ("", word(body["session"]))
        or any(execution.metadata.get(name, value) != value for name, value in noted.items())
    )


def _refuse_restricted(dto: Any) -> None:
    """Raise the refusal that a 2xx response carries."""
    if restriction := restriction_in(dto):
        restriction.request_id = tracing.request_id()
        raise restriction

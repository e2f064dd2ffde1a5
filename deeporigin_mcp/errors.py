"""What can go wrong, sorted by who can act on it.

    DeepOriginError
    ├── ArgumentError            the caller: change the argument (also a ValueError)
    │   ├── NotFoundError            no such thing, or not in this organisation (404)
    │   ├── InvalidRequestError      the platform refused the request's content (400, 422)
    │   └── StateConflictError       the execution is not in a state that allows it (409)
    ├── CredentialError          the operator: token, organisation, rights (401, 403, or offline)
    ├── SettingsError            the operator: a setting has a value that cannot be used
    ├── RestrictionError         the organisation: money, licence or plan limit
    ├── SpendingLimitError       the operator: this server's own limits forbid it (design 4)
    ├── RateLimitError           nobody: wait and call again (429)
    ├── BusyError                nobody: this server has no room for one more now; call again
    ├── PlatformError            the platform: 5xx, or a response that cannot be read
    ├── NetworkError             the network: no connection, no response in time
    ├── OutcomeUnknownError      nobody yet: the request was sent once, its response was lost; read before repeating
    └── WaitTimeoutError         nobody: the executions are still running (also a TimeoutError)

`str(error)` is one paragraph that names the cause; `error.next_step` says what to do and may be empty. Neither holds
a token, a stack trace or a path of this machine. What the call has done is `error.outcome`; `tools/responses/errors.py`
has the words for it.

Codes finer than those of the classes:

| class | code | meaning |
|---|---|---|
| ArgumentError | `invalid_inputs` | the inputs do not fit the tool's schema |
| | `nothing_missing` | every ligand of the run has a result |
| | `price_changed` | the quote's price is not the expected one |
| | `tool_disabled` | the platform has disabled the tool |
| | `invalid_structure`, `invalid_molecules` | a file without atoms; nothing that can be imported |
| | `no_project`, `unknown_project` | which project an execution belongs to is not known |
| | `invalid_path`, `path_reserved` | a path that cannot be; one that only the platform writes |
| | `invalid_url` | an address that the platform cannot fetch |
| | `file_exists`, `file_changed` | there is one already; it changed while it was read |
| | `file_too_large`, `local_file_failed` | above the limit; this machine refuses it |
| | `outside_folders`, `local_file_not_found` | a path where nothing may be read; no file there |
| | `not_built` | this installation lacks the page |
| | `wrong_nonce` | an answer for the approval card that does not come from it |
| NotFoundError | `file_not_found` | no such file on the platform |
| InvalidRequestError | `import_failed` | the import ended without success; its reason is in the message |
| | `file_refused`, `file_too_large` | the file store does not take it |
| StateConflictError | `already_exists` | a row with the same identity |
| | `not_quoted` | the execution is in a state that cannot be confirmed |
| | `already_started` | an earlier confirmation has started it |
| | `being_confirmed` | another call is confirming it |
| | `question_withdrawn` | what a person was asked does not count any more |
| | `another_run` | the platform shows another run under this id than before |
| | `not_over` | the execution goes on, so what it lacks is not known yet |
| | `key_in_use` | the idempotency key belongs to another request |
| | `awaiting_approval` | a person has been asked and has not decided yet |
| | `late_nonce`, `used_nonce` | an answer of an approval card that is too old, or was answered before |
| SpendingLimitError | `above_max_price`, `over_budget`, `over_daily_limit` | the limit for a run, a session, a day |
| | `failed_in_a_row` | its inputs have failed too often to start automatically once more |
| | `tool_not_allowed` | not on the operator's list of tools |
| | `no_complete_price` | the quote has no complete price, so no limit can be kept |
| | `nobody_to_ask` | a person has to approve it, and none can be asked |
| | `declined`, `not_approved` | a person declined it; or no approval is known |
| | `not_on_record` | the ledger or the audit log cannot be written |
| PlatformError | `signed_link_refused`, `invalid_signed_link` | a link to a file that cannot be used |
| | `upload_incomplete`, `checksum_mismatch` | a file arrived with another size or content |
| | `fetched_nothing`, `import_incomplete` | a success without a result |
| DeepOriginError | `internal`, `timed_out` | a bug of this server; a call that took too long |
"""

from __future__ import annotations

from typing import Any, Literal

Outcome = Literal["nothing_created", "nothing_started", "nothing_changed", "unknown"]
"""What a failed call has done; `unknown` until the execution is read back."""


class DeepOriginError(Exception):
    """The root of everything this package raises on purpose.

    Attributes:
        code: the kind of failure, stable over releases: the class's, or a finer one given where it is raised.
        outcome: what the call has done; None where it changes nothing, or where it is not set yet.
    """

    code = "failed"
    outcome: Outcome | None = None

    def __init__(
        self,
        message: str,
        *,
        next_step: str = "",
        http_status: int | None = None,
        request_id: str | None = None,
        code: str | None = None,
        outcome: Outcome | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.outcome = outcome or type(self).outcome
        self.next_step = next_step
        self.http_status = http_status
        self.request_id = request_id

    def __str__(self) -> str:
        return self.message


class ArgumentError(DeepOriginError, ValueError):
    """The call cannot work as written; nothing was started."""

    code = "invalid_argument"


class NotFoundError(ArgumentError):
    """It does not exist in this organisation (HTTP 404)."""

    code = "not_found"


class InvalidRequestError(ArgumentError):
    """The platform refused the content of a request (HTTP 400, 413, 422, …)."""

    code = "invalid_request"


class StateConflictError(ArgumentError):
    """The execution is not in a state that allows the action (HTTP 409)."""

    code = "state_conflict"


class CredentialError(DeepOriginError):
    """The token or the organisation is missing, expired, or has no right to do this."""

    code = "credentials"


class SettingsError(DeepOriginError):
    """A setting has a value that cannot be used."""

    code = "invalid_setting"


class RestrictionError(DeepOriginError):
    """Money, licence or plan: the organisation's rules refuse the run (platform-facts 4.2).

    Attributes:
        action: what the platform asks for, in its own words.
        execution: the execution's DTO, where the response was one.
    """

    code = "restricted"

    def __init__(
        self,
        message: str,
        *,
        action: str | None = None,
        execution: dict[str, Any] | None = None,
        http_status: int | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(
            message,
            next_step="Tell the user: only the organisation's administrator can change it. "
            "Calling again does not help.",
            http_status=http_status,
            request_id=request_id,
        )
        self.action = action
        self.execution = execution


class SpendingLimitError(DeepOriginError):
    """A limit that the operator of this server has set forbids starting the run."""

    code = "spending_limit"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(
            message,
            next_step="Tell the user. Calling again does not help, nor do other arguments.",
            code=code,
        )


class RateLimitError(DeepOriginError):
    """The platform asks for fewer requests (HTTP 429); `retry_after_seconds` is its own value, if any."""

    code = "rate_limited"

    def __init__(
        self, message: str, *, retry_after_seconds: float | None = None, request_id: str | None = None
    ) -> None:
        pause = "a minute" if retry_after_seconds is None else f"{retry_after_seconds:.0f} s"
        super().__init__(message, next_step=f"Wait {pause}, then call again.", http_status=429, request_id=request_id)
        self.retry_after_seconds = retry_after_seconds


class BusyError(DeepOriginError):
    """A limit of this server on calls or callers at a time is reached."""

    code = "busy"
    outcome = "nothing_changed"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message, next_step="Call again in a few seconds.", code=code)


class PlatformError(DeepOriginError):
    """The platform failed (HTTP 5xx), or its response cannot be read."""

    code = "platform_failed"


class NetworkError(DeepOriginError):
    """No connection, or no response in time.

    Attributes:
        nothing_sent: the request certainly did not reach the platform.
        is_lasting: the same request fails until the operator changes something.
    """

    code = "network"

    def __init__(
        self,
        message: str,
        *,
        next_step: str = "",
        nothing_sent: bool = False,
        is_lasting: bool = False,
        code: str | None = None,
    ) -> None:
        super().__init__(message, next_step=next_step, code=code)
        self.nothing_sent = nothing_sent
        self.is_lasting = is_lasting


class OutcomeUnknownError(DeepOriginError):
    """A request that must not be repeated was sent, and its response was lost."""

    code = "outcome_unknown"
    outcome = "unknown"


class WaitTimeoutError(DeepOriginError, TimeoutError):
    """The executions were still running at the caller's deadline."""

    code = "still_running"

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
    ├── PlatformError            the platform: 5xx, or an answer that cannot be read
    ├── NetworkError             the network: no connection, no answer in time
    ├── OutcomeUnknownError      nobody yet: it was sent once and the answer was lost; look before repeating
    └── WaitTimeoutError         nobody: the executions are still going on (also a TimeoutError)

`str(error)` is one paragraph that names the cause; `error.next_step` says what to do and may be empty.
Neither ever holds a token, a stack trace or a path of the machine.
"""

from __future__ import annotations

from typing import Any


class DeepOriginError(Exception):
    """The root of everything this package raises on purpose."""

    def __init__(
        self,
        message: str,
        *,
        next_step: str = "",
        http_status: int | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step
        self.http_status = http_status
        self.request_id = request_id

    def __str__(self) -> str:
        return self.message


class ArgumentError(DeepOriginError, ValueError):
    """The call cannot work as written; nothing was started."""


class NotFoundError(ArgumentError):
    """The platform knows no such thing in this organisation (HTTP 404)."""


class InvalidRequestError(ArgumentError):
    """The platform refused the content of a request (HTTP 400, 413, 422, …)."""


class StateConflictError(ArgumentError):
    """The thing is not in a state that allows the action (HTTP 409)."""


class CredentialError(DeepOriginError):
    """The token or the organisation is missing, expired, or has no right to do this."""


class SettingsError(DeepOriginError):
    """A setting has a value that cannot be used."""


class RestrictionError(DeepOriginError):
    """Money, licence or plan: the organisation's rules refuse the run (platform-facts 4.2).

    `action` is what the platform asks for, in its own words; `execution` is the execution's DTO where the
    refusal came as one.
    """

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
            next_step="Pass this on to the user: only the organisation's administrator can change it. "
            "Calling again gives the same answer.",
            http_status=http_status,
            request_id=request_id,
        )
        self.action = action
        self.execution = execution


class SpendingLimitError(DeepOriginError):
    """A limit that the operator of this server has set forbids starting the run."""

    def __init__(self, message: str) -> None:
        super().__init__(
            message,
            next_step="Pass this on to the user; calling again, or with other arguments, gives the same answer.",
        )


class RateLimitError(DeepOriginError):
    """The platform asks for fewer requests (HTTP 429); `retry_after_seconds` is its own figure, if any."""

    def __init__(
        self, message: str, *, retry_after_seconds: float | None = None, request_id: str | None = None
    ) -> None:
        pause = "a minute" if retry_after_seconds is None else f"{retry_after_seconds:.0f} s"
        super().__init__(message, next_step=f"Wait {pause}, then call again.", http_status=429, request_id=request_id)
        self.retry_after_seconds = retry_after_seconds


class BusyError(DeepOriginError):
    """This server cannot take one more call, or one more caller, at this moment."""

    def __init__(self, message: str) -> None:
        super().__init__(message, next_step="Nothing was done. Call again in a few seconds.")


class PlatformError(DeepOriginError):
    """The platform failed (HTTP 5xx), or its answer cannot be read."""


class NetworkError(DeepOriginError):
    """No connection, or no answer in time.

    `nothing_sent`: the request certainly did not reach the platform. `is_lasting`: the same request fails in the same
    way until the operator changes something.
    """

    def __init__(
        self, message: str, *, next_step: str = "", nothing_sent: bool = False, is_lasting: bool = False
    ) -> None:
        super().__init__(message, next_step=next_step)
        self.nothing_sent = nothing_sent
        self.is_lasting = is_lasting


class OutcomeUnknownError(DeepOriginError):
    """A request that must not be repeated was sent, and its answer was lost."""


class WaitTimeoutError(DeepOriginError, TimeoutError):
    """The executions were still going on when the caller's time ran out."""

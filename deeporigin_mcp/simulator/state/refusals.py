"""Refusals as exceptions: each carries the status and the JSON body that the platform would send.

Body shapes: platform-facts 4.1 (NestJS for the tools service, `{message, errors}` for the data platform and
for validation) and 4.2 (restrictions).
"""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any


class Refusal(Exception):  # noqa: N818 - the platform's answer, not a fault of the program
    """An answer other than 2xx.

    Attributes:
        status: HTTP status.
        body: JSON body.
    """

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(f"{status} {body.get('message', '')}")
        self.status = status
        self.body = body


def refused(status: int, message: str) -> Refusal:
    """NestJS's default shape: `{message, error, statusCode}`."""
    return Refusal(status, {"message": message, "error": HTTPStatus(status).phrase, "statusCode": status})


def unauthorized() -> Refusal:
    """401 without a reason, as the platform answers any token that it does not accept."""
    return Refusal(401, {"statusCode": 401, "message": "Unauthorized"})


def forbidden() -> Refusal:
    """403 for an organisation that the caller is not in."""
    return Refusal(403, {"statusCode": 403, "message": "Forbidden resource"})


def not_found(message: str) -> Refusal:
    """404: no such thing, or none that the caller may see."""
    return refused(404, message)


def conflict(message: str) -> Refusal:
    """409: the execution is not in the state that the action needs."""
    return refused(409, message)


def invalid(message: str, problems: Sequence[tuple[str, str]]) -> Refusal:
    """400 with one entry per problem: `{message, errors: [{field, reason}]}`."""
    return Refusal(
        400, {"message": message, "errors": [{"field": field, "reason": reason} for field, reason in problems]}
    )


def restricted(code: str, title: str, *, action: str, meta: dict[str, Any] | None = None) -> Refusal:
    """403 of licensing or billing: a JSON:API error list with a restriction code (platform-facts 4.2)."""
    error: dict[str, Any] = {"status": 403, "code": code, "title": title, "action_request": action}
    if meta is not None:
        error["meta"] = meta
    return Refusal(403, {"errors": [error]})

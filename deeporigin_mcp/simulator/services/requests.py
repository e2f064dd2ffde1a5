"""What every service does with a request: who asks, for which organisation, with which body."""

import json
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from deeporigin_mcp.simulator.services.tokens import Caller, InvalidTokenError, read_token
from deeporigin_mcp.simulator.state.organisations import Organisation
from deeporigin_mcp.simulator.state.platform import Platform
from deeporigin_mcp.simulator.state.refusals import Refusal, forbidden, invalid, unauthorized


def answer(body: object, status: int = 200) -> Response:
    """A JSON answer, compact as the platform's."""
    return encoded_answer(json.dumps(body, separators=(",", ":")).encode(), status)


def encoded_answer(body: bytes, status: int = 200) -> Response:
    """A JSON answer that is encoded already."""
    return Response(body, status_code=status, media_type="application/json")


def platform_of(request: Request) -> Platform:
    """The platform that this application serves."""
    platform: Platform = request.app.state.platform
    return platform


def caller_of(request: Request) -> Caller:
    """Who asks.

    Raises:
        Refusal: 401.
    """
    now = platform_of(request).clock.wall_now().timestamp()
    try:
        return read_token(request.headers.get("authorization"), now=now)
    except InvalidTokenError as error:
        raise unauthorized() from error


def organisation_of(request: Request) -> Organisation:
    """The organisation in the path, if the caller may see it.

    Raises:
        Refusal: 401, or 403 for an unknown organisation and one outside of the token's `orgs`.
    """
    return permitted(request, caller_of(request))


def permitted(request: Request, caller: Caller) -> Organisation:
    """The organisation in the path for a known caller.

    Raises:
        Refusal: 403.
    """
    key = str(request.path_params["org"])
    organisation = platform_of(request).organisations.get(key)
    if organisation is None or (caller.orgs is not None and key not in caller.orgs):
        raise forbidden()
    return organisation


async def body_of(request: Request) -> dict[str, Any]:
    """The JSON object in the body.

    Raises:
        Refusal: 400 when it is anything else.
    """
    try:
        body = json.loads(await request.body())
    except ValueError as error:
        raise Refusal(
            400, {"message": "Unexpected token in JSON", "error": "Bad Request", "statusCode": 400}
        ) from error
    if not isinstance(body, dict):
        raise invalid("Validation failed", [("body", "must be object")])
    return body


def whole_number(query: Mapping[str, str], name: str, default: int) -> int:
    """An integer of the query string.

    Raises:
        Refusal: 400 for anything else.
    """
    text = query.get(name)
    if text is None:
        return default
    try:
        return int(text)
    except ValueError as error:
        raise invalid("Validation failed", [(name, "must be integer")]) from error


def equal_to(body: dict[str, Any], column: str) -> object:
    """The value that a filter pins a column to, None when it does not."""
    document = body.get("filter")
    if not isinstance(document, dict):
        return None
    condition = document.get(column)
    if isinstance(condition, dict):
        return condition.get("eq")
    props = document.get("props")
    pinned = [
        prop.get("value")
        for prop in (props if isinstance(props, list) else [])
        if isinstance(prop, dict) and prop.get("column") == column and prop.get("op") == "eq"
    ]
    return pinned[0] if pinned else condition

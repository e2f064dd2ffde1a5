"""Single values of the platform's records: texts, objects, instants."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, TypeGuard

Json = dict[str, Any]


def moment(value: Any) -> datetime | None:
    """A timestamp with or without milliseconds, with `Z` or an offset; None for anything else."""
    if not isinstance(value, str):
        return None
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def utc_stamp(seconds: float) -> str:
    """Unix seconds as a timestamp in UTC, such as 2026-05-07T15:00:00Z."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def as_object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def is_list_of_objects(value: Any) -> TypeGuard[list[Json]]:
    """Whether it is a list of objects and not empty."""
    return isinstance(value, list) and bool(value) and all(isinstance(entry, dict) for entry in value)


def utc_text(moment: datetime | str) -> str:
    """An instant as the platform's filters take it: UTC, milliseconds cut off, `Z`. Naive means UTC."""
    if isinstance(moment, str):
        return moment
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return aware.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"

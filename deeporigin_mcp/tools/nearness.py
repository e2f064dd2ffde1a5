"""What a caller probably meant: near misses of names, and the words that others use for the platform's words."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping

MAX_SUGGESTIONS = 3
LONGEST_COMPARED = 80
"""Characters; nothing that can be suggested is longer, and comparing long texts is slow."""

_SAID_FOR: Mapping[str, str] = {
    # statuses
    "Completed": "success succeeded successful done finished complete ok ended over",
    "Failed": "error errored failure fail crashed broken",
    "Cancelled": "canceled aborted stopped killed terminated",
    "Queued": "pending waiting scheduled submitted",
    "Running": "active inprogress executing started processing run",
    "Quoted": "priced draft unconfirmed quote",
    "DataIngesting": "ingesting storing",
    # operators of a search
    "eq": "= == === equals equal is",
    "neq": "!= <> ne not isnot notequal",
    "gt": "> after greater greaterthan",
    "gte": ">= ge atleast",
    "lt": "< before less lessthan",
    "lte": "<= le atmost",
    "icontains": "~ contains contain like ilike substring match matches includes startswith",
    # columns of a search
    "started_at": "createdat created startedat start date time starttime",
    "completed_at": "finishedat endedat ended end finished endtime",
    "compute_job_id": "executionid jobid uuid",
    "tool_key": "tool key toolname toolid",
    "tool_version": "version",
    "project_id": "project projectname",
    # fields of an order
    "createdAt": "created date time newest latest age",
    "startedAt": "start starttime",
    "completedAt": "finishedat finished ended completed end endtime",
    "tool": "toolkey key",
    "executionId": "id computejobid",
    "name": "title label",
    "status": "state",
    # arguments and their values
    "execution_id": "id jobid runid uuid",
    "execution_ids": "ids id jobids runids executions",
    "inputs": "params parameters input arguments",
    "query": "q text search keyword keywords",
    "order": "sort sortby orderby",
    "timeout_seconds": "timeout",
    "page_size": "pagesize perpage size limit",
    "limit": "pagesize count top maxresults",
    "created_after": "since after from startdate",
    "expected_price": "price",
    "filters": "filter where conditions props",
    "column": "field property key",
    "op": "operator operation comparison",
    "value": "values val",
    "detailed": "full verbose all long",
    "concise": "brief short summary",
    "hidden": "private",
    "visible": "public",
    "any": "first one",
}
"""A word of the platform or of this server → what callers say for it, in lower case without separators."""

_MEANS: dict[str, list[str]] = {}
for _word, _said in _SAID_FOR.items():
    for _saying in _said.split():
        _MEANS.setdefault(_saying, []).append(_word)


def nearest(given: object, known: Iterable[str], *, count: int = MAX_SUGGESTIONS, cutoff: float = 0.6) -> list[str]:
    """The known words that come nearest to a given one, best first; empty if none is near.

    Spellings that differ in case and separators only come first, then what the word is commonly said for, then
    the only word that begins like it, then typing errors.

    Args:
        cutoff: least similarity of a typing error, 0 to 1.
    """
    if not isinstance(given, str) or len(given) > LONGEST_COMPARED:
        return []
    words = list(dict.fromkeys(known))
    plain = plainly(given)
    spelled = [word for word in words if plain and plainly(word) == plain]
    said = [word for word in _MEANS.get(given.strip().lower(), []) + _MEANS.get(plain, []) if word in words]
    if spelled or said:
        return list(dict.fromkeys(spelled + said))[:count]
    by_plain: dict[str, str] = {}
    for word in words:
        by_plain.setdefault(plainly(word), word)
    begun = [word for form, word in by_plain.items() if len(plain) >= 3 and form.startswith(plain)]
    if len(begun) == 1:
        return begun
    return [by_plain[near] for near in mistyped(plain, by_plain, count=count, cutoff=cutoff)]


def mistyped(word: str, known: Iterable[str], *, count: int = 1, cutoff: float) -> list[str]:
    """The known words of which a word may be a typing error, the most similar first."""
    return difflib.get_close_matches(word, list(known), n=count, cutoff=cutoff)


def did_you_mean(given: object, known: Iterable[str]) -> str:
    """`did you mean Completed?`, or nothing if no known word is near."""
    near = nearest(given, known, count=1)
    return f"did you mean {near[0]}?" if near else ""


def plainly(word: str) -> str:
    """A word without case and separators: `createdAt`, `created_at` and `Created At` are one."""
    return re.sub(r"[^a-z0-9]+", "", word.lower())

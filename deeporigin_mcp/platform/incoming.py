"""What a response holds, made such that nothing in it can stop whoever reads it or sends it on.

Data stay as they came. Half a character becomes U+FFFD. A number that is not finite, or that no machine word holds,
becomes null, which records take for missing. What is nested too deeply becomes empty.
"""

from __future__ import annotations

import math
import re
from typing import Any

MAX_DEPTH = 200
"""Levels of lists and objects. The deepest progress trees have some dozens; pydantic writes no more than 255."""
LARGEST_INTEGER = 2**63
_HALF = re.compile("[\ud800-\udfff]")


def tidied(decoded: Any) -> Any:
    """The decoded JSON of a response, changed in place where that is needed."""
    holder = [decoded]
    level: list[Any] = [holder]
    for depth in range(MAX_DEPTH + 1):
        below: list[Any] = []
        for node in level:
            _tidy(node, below)
        if not below:
            break
        level = below
        if depth == MAX_DEPTH:
            for node in level:
                node.clear()
    return holder[0]


def _tidy(node: Any, below: list[Any]) -> None:
    """Mend the values of one list or object, and add the lists and objects in it to `below`."""
    odd_keys = False
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        kind = type(value)
        if kind is str:
            if not value.isascii() and _HALF.search(value):
                node[key] = _HALF.sub("\ufffd", value)
        elif kind is dict or kind is list:
            below.append(value)
        elif (kind is float and not math.isfinite(value)) or (kind is int and abs(value) > LARGEST_INTEGER):
            node[key] = None
        if isinstance(key, str) and not key.isascii():
            odd_keys = odd_keys or _HALF.search(key) is not None
    if odd_keys:
        mended = {_HALF.sub("\ufffd", key): value for key, value in node.items()}
        node.clear()
        node.update(mended)

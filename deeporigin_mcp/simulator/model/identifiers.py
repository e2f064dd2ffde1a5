"""Identifiers in the platform's forms (platform-facts 6), drawn from one seeded generator.

The same seed and the same sequence of calls give the same ids, so a failing run can be repeated.
"""

import hashlib
import random
import re
import uuid

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LOWER = "0123456789abcdefghijklmnopqrstuvwxyz"
_DATA_PLATFORM_ID = re.compile(r"^(?:[0-9A-HJKMNP-TV-Z]{13}|[0-9a-fA-F]{16})$")


class Identifiers:
    """A source of fresh ids."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - repeatable ids, not secrets

    def uuid4(self) -> str:
        """A version 4 uuid: executions, transactions' tags, clusters."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def resource_id(self) -> str:
        """21 characters `[0-9a-z]`: the name of a workflow is `workflow-<resourceId>`."""
        return "".join(self._random.choices(_LOWER, k=21))

    def friendly(self, prefix: str) -> str:
        """13 characters of the Crockford alphabet, starting with the table's prefix such as `0A`."""
        return prefix + "".join(self._random.choices(CROCKFORD, k=13 - len(prefix)))

    def object_id(self) -> str:
        """24 hex digits: billing transactions and authorisations."""
        return f"{self._random.getrandbits(96):024x}"

    def jitter(self, spread: float) -> float:
        """A factor around 1, uniform within plus or minus `spread`."""
        return self._random.uniform(1.0 - spread, 1.0 + spread)


def is_data_platform_id(text: str) -> bool:
    """Whether the text has a form that the data platform accepts as an id (platform-facts 1.9)."""
    return bool(_DATA_PLATFORM_ID.match(text))


def digest(*parts: object) -> int:
    """A stable 64-bit number of the parts: outputs derived from inputs must not change between reads."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def fraction(*parts: object) -> float:
    """A stable number in [0, 1) of the parts."""
    return digest(*parts) / 2**64


def friendly_of(prefix: str, *parts: object) -> str:
    """A 13-character id that depends only on the parts: result rows are computed, not stored."""
    number = digest(prefix, *parts)
    letters = []
    for _ in range(13 - len(prefix)):
        number, index = divmod(number, 32)
        letters.append(CROCKFORD[index])
    return prefix + "".join(letters)

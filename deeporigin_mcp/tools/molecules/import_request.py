"""What a call of import_molecules asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import anyio

from deeporigin_mcp.tools.molecules.sources import Format, Kind


@dataclass
class ImportRequest:
    """What a call asks for, and whether its import was sent."""

    kind: Kind
    source: str
    value: Any
    format: Format | None
    name: str
    protein_id: str
    project_id: str | None
    tags: Mapping[str, Any] | None
    check_only: bool
    until: float
    is_sent: bool = False

    @property
    def seconds_left(self) -> float:
        return max(0.0, self.until - anyio.current_time())

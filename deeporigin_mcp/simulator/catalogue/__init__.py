"""The catalogue of tools: definitions, and the resolution of version selectors."""

from collections.abc import Iterable
from typing import Any

from deeporigin_mcp.simulator.catalogue import design, free_energy, junk, properties, structure
from deeporigin_mcp.simulator.catalogue.definition import Definition

__all__ = ["Catalogue", "Definition", "standard_catalogue"]


class Catalogue:
    """Every definition that the platform lists, in serving order."""

    def __init__(self, definitions: Iterable[Definition]) -> None:
        self.definitions = list(definitions)

    def rows(self, key: str | None = None, orgs: frozenset[str] | None = None) -> list[dict[str, Any]]:
        """Rows of one tool, or of all, as far as a token for these organisations may see them; None for all."""
        return [entry.row() for entry in self.definitions if key in (None, entry.key) and entry.is_seen_by(orgs)]

    def resolve(self, key: str, selector: str = "latest") -> Definition | None:
        """The definition that a selector names: exact semver, a major such as `4`, or `latest`.

        Selectors prefer enabled versions; None when nothing fits (platform-facts 1.4).
        """
        versions = [entry for entry in self.definitions if entry.key == key]
        exact = [entry for entry in versions if entry.version == selector]
        if exact:
            return exact[0]
        if selector != "latest":
            if not selector.isdigit():
                return None
            versions = [entry for entry in versions if entry.number[0] == int(selector)]
        candidates = [entry for entry in versions if entry.enabled] or versions
        return max(candidates, key=lambda entry: entry.number, default=None)


def standard_catalogue() -> Catalogue:
    """The tools of platform-facts 7, with junk between them."""
    return Catalogue(
        (
            *structure.DEFINITIONS,
            *junk.DEFINITIONS[:1],
            *properties.DEFINITIONS,
            *junk.DEFINITIONS[1:],
            *free_energy.DEFINITIONS,
            *design.DEFINITIONS,
        )
    )

"""Pages that a person looks at: HTML with style and script inside, without Deep Origin logic and without a network."""

from __future__ import annotations

from importlib import resources


def page(name: str) -> str:
    """The HTML of a page, such as `card`."""
    return (resources.files(__name__) / f"{name}.html").read_text(encoding="utf-8")

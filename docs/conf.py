"""The documents as a site: the pages of the repository as they are, with their own links; see scripts/docs."""

from __future__ import annotations

import re
from typing import Any

project = "deeporigin-mcp"
extensions = ["myst_parser"]
root_doc = "README"
include_patterns = ["*.md", "docs/**.md", "examples/README.md", "plugin/README.md", "benchmarks/*.md"]
exclude_patterns = [".*"]
myst_heading_anchors = 4
myst_links_external_new_tab = False

html_theme = "furo"
html_static_path = ["site"]
html_css_files = ["site.css"]
html_title = "deeporigin-mcp"
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}

CONTENTS = {
    "Learn": ["docs/tutorial", "docs/how-to/install"],
    "Do": [
        f"docs/how-to/{name}"
        for name in (
            "dock",
            "pockets",
            "properties",
            "free-energies",
            "rerun",
            "costs",
            "wait",
            "files",
            "results",
            "approve",
            "troubleshooting",
        )
    ],
    "Look up": [f"docs/reference/{name}" for name in ("tools", "settings", "errors", "commands")],
    "Understand": ["docs/money", "docs/exactly-once", "docs/waiting", "SECURITY"],
    "Operate": ["docs/configuration", "docs/http"],
    "Build": [
        "docs/library",
        "docs/simulator",
        "examples/README",
        "plugin/README",
        "docs/architecture",
        "benchmarks/README",
        "benchmarks/RESULTS",
        "CONTRIBUTING",
        "CHANGELOG",
    ],
}
"""The headings of the site's list of pages."""
BADGE = re.compile(r"\[!\[([^]]*)\]\([^)]*\)\]")


def as_front_page(_: Any, name: str, source: list[str]) -> None:
    """Give the README the list of pages, and words for pictures that are on other servers."""
    if name == root_doc:
        lists = [
            "\n".join(["```{toctree}", ":hidden:", f":caption: {caption}", "", *pages, "```"])
            for caption, pages in CONTENTS.items()
        ]
        source[0] = "\n\n".join([BADGE.sub(r"- [\1]", source[0]), *lists])


def setup(app: Any) -> None:
    app.connect("source-read", as_front_page)

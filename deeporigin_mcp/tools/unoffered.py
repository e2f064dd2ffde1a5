"""The last word on what a server says of tools: what it does not offer is not named.

Texts are written as if every tool were there. Here a sentence that names one which is not gives way to what a person
can do instead; read-only mode and `DEEPORIGIN_MCP_TOOLSETS` need nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

READ_ONLY = "This server only reads: a person can start and change runs in the Deep Origin web app."
LEFT_OUT = (
    "What comes next is not offered by this server (DEEPORIGIN_MCP_TOOLSETS): a person can do it in the Deep Origin "
    "web app."
)
SENTENCES = ("next_step", "note", "error")
"""Fields of answers that are this server's own words."""

_QUOTED = re.compile(r""""(?:[^"\\\n]|\\.)*"|(?<![\w)])'[^'\n]*'""")
_WORD = re.compile(r"[a-z]+(?=[\s,.])")
"""At the beginning: a word, not the name of a tool."""
_END = re.compile(r"(?<!e\.g)[.;?!]\s+|\n")


class Unoffered:
    """The tools that a server does not offer.

    Args:
        instead: by a tool's name, the sentence that is told instead of those that name it.
    """

    def __init__(self, instead: Mapping[str, str]) -> None:
        self._instead = instead
        names = rf"(?<!\w)({'|'.join(instead)})(?!\w)" if instead else r"(?!)"
        self._names = re.compile(names)
        self._aside = re.compile(rf"\s\([^()]*{names}[^()]*\)")

    def told(self, text: str) -> str:
        """The text without the sentences that name what is missing; at its end what is told instead, once."""
        kept, missing = self._parted(text)
        instead = list(dict.fromkeys(self._instead[name] for name in missing))
        separator = "" if not kept or kept.endswith("\n") else " "
        return kept + separator + " ".join(instead) if instead else kept

    def described(self, text: str) -> str:
        """A description without the sentences that name what is missing."""
        if not self._names.search(text):
            return text
        paragraphs = (" ".join(paragraph.split()) for paragraph in text.split("\n\n"))
        kept = (self._parted(paragraph)[0] for paragraph in paragraphs)
        return "\n\n".join(paragraph for paragraph in kept if paragraph)

    def in_schema(self, schema: Any) -> Any:
        """A JSON Schema whose descriptions name nothing that is missing."""
        if isinstance(schema, list):
            return [self.in_schema(entry) for entry in schema]
        if not isinstance(schema, dict):
            return schema
        return {
            key: self.described(entry) if key == "description" and isinstance(entry, str) else self.in_schema(entry)
            for key, entry in schema.items()
        }

    def in_answer(self, content: dict[str, Any]) -> dict[str, Any]:
        """An answer whose sentences name nothing that is missing; what it says of the platform is left as it is."""
        return {key: self._field(key, value) for key, value in content.items()} if self._instead else content

    def _field(self, key: str, value: Any) -> Any:
        if key in SENTENCES and isinstance(value, str):
            return self.told(value)
        if key == "executions" and isinstance(value, list):
            return [self.in_answer(row) for row in value]
        if key == "problems" and isinstance(value, list):
            return [self.told(problem) for problem in value]
        return value

    def _parted(self, text: str) -> tuple[str, list[str]]:
        """What stays of a text, and the tools that the rest named."""
        if not self._names.search(text):
            return text, []
        text = self._aside.sub("", text)
        # What stands in quotes are values: they neither end a sentence nor name a tool.
        bare = _QUOTED.sub(lambda found: "·" * len(found[0]), text)
        kept, missing, start, begins_anew = "", list[str](), 0, False
        for end in [*(found.end() for found in _END.finditer(bare)), len(text)]:
            if named := self._names.search(bare, start, end):
                missing.append(named[1])
                # What it was a part of ends before it, and what comes after it begins anew.
                kept = re.sub(r";(\s*)\Z", r".\1", kept)
                begins_anew = text[start:end].rstrip().endswith(";")
            else:
                part = text[start:end]
                kept += part[:1].upper() + part[1:] if begins_anew and _WORD.match(part) else part
                begins_anew = False
            start = end
        return (kept if kept.endswith("\n") else kept.rstrip()), missing


NOTHING = Unoffered({})
"""Of a server that offers all of its tools."""

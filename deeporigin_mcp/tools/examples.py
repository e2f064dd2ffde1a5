"""Values of the form that a JSON Schema asks for, made up as plausibly as its own words allow.

Nothing of it is anybody's data: the paths, molecules and places stand for what a person has to name.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from deeporigin_mcp.platform.wire import text
from deeporigin_mcp.tools.forms import Schema, entries_of, names_of

MAX_DEPTH = 8
MAX_ENTRIES = 20
MAX_CHARACTERS = 200

_FILES: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({"xml"}), "files/example.xml"),
    (frozenset({"csv", "list", "table"}), "entities/ligands/ligands.csv"),
    (frozenset({"pose", "poses"}), "entities/poses/pose.sdf"),
    (frozenset({"ligand", "ligands", "molecule", "compound", "sdf"}), "entities/ligands/ligand.sdf"),
    (frozenset({"protein", "structure", "receptor", "target", "pdb"}), "entities/proteins/protein.pdb"),
)
"""What the words around a path say → such a path; the first that fits."""
_ANY_FILE = "path/to/file"

_TEXTS: tuple[tuple[frozenset[str], tuple[str, ...]], ...] = (
    (frozenset({"smiles"}), ("CCO", "c1ccccc1O", "CC(=O)N")),
    (frozenset({"smarts"}), ("c1ccccc1",)),
    (frozenset({"uniprot", "accession"}), ("P00533", "P24941")),
    (frozenset({"pdb"}), ("1M17", "4HHB")),
    (frozenset({"chain"}), ("A", "B")),
    (frozenset({"residue"}), ("LIG",)),
    (frozenset({"id"}), ("08ABCDEFGHJKM", "08ABCDEFGHJKN")),
    (frozenset({"name"}), ("example",)),
)

_LENGTHS = frozenset({"box", "size", "length", "width", "height", "edge"})
_NUMBERS: tuple[tuple[frozenset[str], frozenset[str], tuple[float, ...]], ...] = (
    (frozenset({"center", "centre", "origin"}), frozenset(), (10, 15, 20)),
    (frozenset({"angle", "rotation"}), frozenset(), (0,)),
    (frozenset({"volume", "cubic"}), frozenset(), (100,)),
    (frozenset({"padding", "margin", "cutoff", "radius"}), frozenset({"nm"}), (1,)),
    (frozenset({"padding", "margin", "cutoff", "radius"}), frozenset({"angstrom", "å"}), (5,)),
    (_LENGTHS, frozenset({"nm"}), (8,)),
    (_LENGTHS, frozenset({"angstrom", "å"}), (20,)),
    (frozenset({"box"}), _LENGTHS - {"box"}, (20,)),
    (frozenset({"temperature"}), frozenset({"k", "kelvin"}), (300,)),
    (frozenset({"ph"}), frozenset(), (7.4,)),
)
"""What a number is of, what is said besides (if anything has to be: mostly a unit), and such numbers."""

_WORD = re.compile(r"[a-zå]+")
_CAMEL = re.compile(r"(?<=[a-z][a-z])(?=[A-Z])")


def example_of(schema: Any, root: Schema | None = None) -> Any:
    """A value of the schema's form: required fields, defaults and first choices; None where none can be made up.

    Whatever the schema holds is no error, but what is made up need not fit it: check it.

    Args:
        root: the whole schema, where references lead, if it is another.
    """
    if root is None:
        root = schema if isinstance(schema, dict) else {}
    return _made(_resolved(schema, root), root, _Around(), 0)


def example_of_field(schema: Schema, name: str) -> Any:
    """A value for one input of a tool."""
    return _field(schema, name, schema, _Around(), 0)


class _Around(NamedTuple):
    """What is said of a value and around it, and which entry of a list it is in."""

    words: tuple[frozenset[str], ...] = (frozenset(), frozenset())
    """From the inside out, two each: those of the name, then those of the description."""
    number: int = 0

    @property
    def own(self) -> tuple[frozenset[str], ...]:
        """The value's own words, not those of what holds it."""
        return self.words[:2]

    def inside(self, name: str, node: Any) -> _Around:
        if not isinstance(node, dict):
            return self
        named = _words_in(name, text(node.get("x-display-name")), text(node.get("title")))
        described = _words_in(text(node.get("description")), text(node.get("x-data-type")))
        return self._replace(words=(named, described, *self.words)) if named or described else self


def _words_in(*texts: str) -> frozenset[str]:
    return frozenset(word for said in texts for word in _WORD.findall(_CAMEL.sub(" ", said).lower()))


def _made(node: Any, root: Schema, around: _Around, depth: int) -> Any:
    if not isinstance(node, dict) or depth > MAX_DEPTH:
        return None
    for key in ("const", "default"):
        if key in node:
            return node[key]
    if examples := entries_of(node.get("examples")):
        return examples[0]
    if options := entries_of(node.get("enum")):
        return options[around.number % len(options)]
    kind = node.get("type")
    kind = kind[0] if isinstance(kind, list) and kind else kind
    if kind == "object" or "properties" in node:
        return _object(node, root, around, depth)
    if kind == "array":
        count = min(MAX_ENTRIES, int(max(1, _number(node.get("minItems"), 1))))
        entry = _resolved(node.get("items", {}), root)
        around = around.inside("", entry)
        return [_made(entry, root, around._replace(number=number), depth + 1) for number in range(count)]
    if options := entries_of(node.get("oneOf")) or entries_of(node.get("anyOf")):
        return _made(_resolved(options[0], root), root, around, depth + 1)
    if kind in ("integer", "number"):
        return _plausible_number(node, around, is_whole=kind == "integer")
    return False if kind == "boolean" else _plausible_text(node, around)


def _field(holder: Schema, name: str, root: Schema, around: _Around, depth: int) -> Any:
    properties = holder.get("properties")
    node = _resolved(properties.get(name) if isinstance(properties, dict) else None, root)
    return _made(node, root, around.inside(name, node), depth + 1)


def _resolved(node: Any, root: Schema) -> Any:
    """A schema with its reference into the definitions followed."""
    for _ in range(MAX_DEPTH):
        reference = node.get("$ref") if isinstance(node, dict) else None
        place = reference.split("/") if isinstance(reference, str) else []
        if len(place) != 3 or place[0] != "#":
            break
        known = root.get(place[1])
        target = known.get(place[2]) if isinstance(known, dict) else None
        rest = {key: value for key, value in node.items() if key != "$ref"}
        node = {**target, **rest} if isinstance(target, dict) else None
    return node


def _object(node: Schema, root: Schema, around: _Around, depth: int) -> dict[str, Any]:
    options = entries_of(node.get("oneOf")) or entries_of(node.get("anyOf"))
    first = options[0] if options and isinstance(options[0], dict) else {}
    wanted = [*names_of(node.get("required")), *names_of(first.get("required"))]
    properties = node.get("properties")
    if not wanted and isinstance(properties, dict):
        # An object without required fields is of no use when empty: show what a molecule or a file is known by.
        wanted = [name for name in ("smiles", "file_path", "id") if name in properties][:1]
    fixed = dict(_constants(first))
    return {
        name: fixed[name] if name in fixed else _field(node, name, root, around, depth)
        for name in dict.fromkeys(wanted)
    }


def _constants(alternative: Schema) -> Iterator[tuple[str, Any]]:
    """Values that an alternative fixes, such as the mode that it describes."""
    properties = alternative.get("properties")
    for name, entry in properties.items() if isinstance(properties, dict) else ():
        if isinstance(entry, dict) and ("const" in entry or entries_of(entry.get("enum"))):
            yield name, entry["const"] if "const" in entry else entry["enum"][0]


def _plausible_number(node: Schema, around: _Around, *, is_whole: bool) -> float:
    """A number of the size that the words and the unit suggest, else the smallest that there may be."""
    least, most = _number(node.get("minimum"), -math.inf), _number(node.get("maximum"), math.inf)
    above, below = _number(node.get("exclusiveMinimum"), -math.inf), _number(node.get("exclusiveMaximum"), math.inf)
    said = frozenset[str]().union(*around.own)
    likely = (
        numbers
        for words in around.own
        for of, besides, numbers in _NUMBERS
        if of & words and (not besides or besides & said)
    )
    numbers = next(likely, ())
    value = float(numbers[around.number % len(numbers)]) if numbers else max(least, above + 1)
    value = 1.0 if value == -math.inf else value
    value = max(least, min(most, value))
    if not above < value < below:
        value = (max(least, above) + min(most, below)) / 2
        value = above + 1 if math.isinf(value) and not math.isinf(above) else value
        value = below - 1 if math.isinf(value) and not math.isinf(below) else value
    is_round = math.isfinite(value) and value == int(value)
    return int(value) if is_round or (is_whole and math.isfinite(value)) else value


def _plausible_text(node: Schema, around: _Around) -> str:
    if node.get("format") == "file" or {"file", "files", "path", "paths"} & around.words[0]:
        # What holds the file tells more than the file's own words, if these tell nothing.
        value = next((path for words in around.words for of, path in _FILES if of & words), _ANY_FILE)
        stem, dot, ending = value.rpartition(".")
        value = f"{stem}-{around.number + 1}{dot}{ending}" if around.number and dot else value
    else:
        values = next((values for words in around.own for of, values in _TEXTS if of & words), ("text",))
        value = values[around.number % len(values)]
    least = int(min(MAX_CHARACTERS, max(0, _number(node.get("minLength"), 0))))
    most = int(min(MAX_CHARACTERS, max(0, _number(node.get("maxLength"), MAX_CHARACTERS))))
    return value.ljust(least, "x")[:most]


def _number(value: Any, otherwise: float) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and abs(value) < 1e15 else otherwise

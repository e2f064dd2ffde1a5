"""The state of one check of inputs: steps left, warnings, molecules, files, repeated entries and unknown names."""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any, NamedTuple

from deeporigin_mcp.platform.records import money
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.tools.catalogue.schemas import (
    KEY,
    PROVIDER,
    Schema,
    TooLarge,
    entries_of,
    fields_of,
    is_reference,
    parts_of,
)
from deeporigin_mcp.tools.molecules import smiles
from deeporigin_mcp.tools.responses.size_limit import shown
from deeporigin_mcp.tools.responses.suggestions import did_you_mean

MAX_STEPS = 100_000
"""Keywords of a schema applied to values, references included; about a second."""
LIST_FILES = frozenset({"ligands_file", "molecules_file", "compounds_file"})
NOT_READ = "{}: the molecules in this file were not checked."
MAX_VALUES = 200_000
"""Values of the inputs that are read, at all depths."""
MAX_NAMES = 200
MAX_SHOWN = 20
VALUE_CHARACTERS = 80
_FOUR_DIGITS = Context(prec=4)

_LIGANDS = re.compile(r"(?:ligand|molecule|compound)(?:s|_?ids)", re.IGNORECASE)
"""Names of fields whose texts are SMILES, or ids or names of molecules."""
_SMILES = re.compile(r"(?:.*smiles|(?:.*_)?smi)(?:_?(?:list|strings?))?_?\d*", re.IGNORECASE)
"""Names of fields whose texts are SMILES."""
_LIGAND_SMILES = re.compile(r"(?:^|\.)(?:ligand|molecule|compound)s?(?:\.\d+)?\.smiles|smiles_list\.\d+")
"""Paths of the SMILES of whole molecules, not of cores or reactions."""
_FILE = re.compile(rf"(?:.*_)?file_path|{'|'.join(sorted(LIST_FILES))}")
_MAYBE_FILE = re.compile(r"(?!out)(?:.*_)?(?:path|file)")
_ENTITY = re.compile(r"(protein|ligand)s?_?\d*")


@dataclass(frozen=True)
class InputFile:
    """A path of the platform's storage in the inputs.

    `is_certain`: the schema or the name of the field says that it is a file that the run reads.
    """

    at: str
    path: str
    is_certain: bool


class InputEntity(NamedTuple):
    """A protein or ligand in the inputs, by its id."""

    at: str
    kind: str
    """`protein` or `ligand`."""
    id: str
    file_path: str
    smiles: str = ""


@dataclass
class Repeats:
    """A list with equal entries; `most` is the one that is there most often."""

    path: str
    count: int
    distinct: int
    most: str
    most_count: int

    def message(self, price: Decimal | None) -> str:
        """How many entries are repeated, and their share of a price in USD."""
        duplicates = self.count - self.distinct
        cost = "each entry is run and priced by itself"
        if price:
            share = _FOUR_DIGITS.create_decimal(price * duplicates / self.count)
            cost = f"their share of the price is {money.shown(share)} of {money.shown(price)} USD"
        return (
            f"{self.path}: {self.count} entries, {duplicates} of them duplicates ({self.most} {self.most_count} "
            f"times); {cost}."
        )


class Known:
    """The names of a tool's inputs in all branches of its schema."""

    def __init__(self, schema: Schema) -> None:
        self.described: dict[str, Any] = {}
        named: list[str] = []
        self.is_open = False
        for part in parts_of(schema):
            for name, entry in fields_of(part).items():
                self.described.setdefault(name, entry)
            required = [*entries_of(part.get("required"))]
            for key in ("dependentRequired", "dependencies"):
                for name, needed in fields_of(part, key).items():
                    required += [name, *entries_of(needed)]
            named += [name for name in required if isinstance(name, str)]
            others = part.get("additionalProperties")
            reference = part.get("$ref")
            self.is_open |= bool(part.get("patternProperties")) or (others is not None and others is not False)
            self.is_open |= isinstance(reference, str) and not reference.startswith("#")
        self.names = dict.fromkeys([*self.described, *named])

    def unknown_inputs(self, inputs: dict[str, Any], state: CheckState) -> list[str]:
        """Problems with unknown inputs. The platform drops most of these silently, misspelt ones included."""
        problems = []
        # Comparing with thousands of names takes long, and nobody reads them.
        valid = list(itertools.islice(self.names, MAX_NAMES))
        unknown = (name for name in inputs if name not in self.names) if self.described else iter(())
        for name in itertools.islice(unknown, MAX_SHOWN):
            near = did_you_mean(name, valid)
            if not self.is_open:
                hint = near or f"valid: {', '.join(valid)}"
                problems.append(f"{one_line(name, 60)}: unknown input; {hint}")
            elif near:
                state.warn(f"{one_line(name, 60)}: the schema does not describe it; {near}")
        return problems


class CheckState:
    """One check: the steps that are left, and what it finds beside violations of the schema.

    Values that are checked know their path, and their `repr` is cut.
    """

    def __init__(self, left: int) -> None:
        self.left = left
        self.lenient = 0
        """How often a value passed that the schema, read strictly, forbids."""
        self.known: Known | None = None
        self.warnings: dict[str, None] = {}
        self._values = 0
        self._smiles: dict[str, str] = {}
        self._names: dict[str, str] = {}
        """Texts in lists of ligands: SMILES, ids or names."""
        self._lists: dict[str, list[Any]] = {}
        self._files: dict[str, InputFile] = {}
        self._entities: dict[str, InputEntity] = {}

    def spend(self, steps: int) -> None:
        self.left -= steps
        if self.left < 0:
            raise TooLarge

    def warn(self, warning: str) -> None:
        self.lenient += 1
        self.warnings[warning] = None

    def is_smiles(self, value: Any) -> None:
        """Note that a text, or each text of a list, is a SMILES."""
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, Text):
                self._smiles[text.path] = text

    def is_molecule(self, value: Any) -> None:
        """Note that a text is a SMILES, or the id or name of a molecule."""
        if isinstance(value, Text):
            self._names[value.path] = value

    def is_file(self, value: Any, *, is_certain: bool = True) -> None:
        """Note that a text, or a reference, is a file."""
        path = value
        if isinstance(value, dict):
            path = value.get(KEY) if value.get(PROVIDER) == "ufa" else None
        at = getattr(value, "path", None)
        if isinstance(at, str) and isinstance(path, str) and path.strip():
            before = self._files.get(at)
            self._files[at] = InputFile(at, str(path), is_certain or (before is not None and before.is_certain))

    def is_entity(self, value: Any, kind: str) -> None:
        """Note that an object is a protein or a ligand of the platform."""
        if isinstance(value, Object) and isinstance(name := value.get("id"), str) and name.strip():
            path, smiles = (text if isinstance(text := value.get(key), str) else "" for key in ("file_path", "smiles"))
            self._entities[value.path] = InputEntity(value.path, kind, str(name), str(path), str(smiles))

    def noted(self, value: Any, path: str, name: str) -> Any:
        """A value with paths in it; molecules and files are noted by the names of their fields."""
        self._values += 1
        if self._values > MAX_VALUES:
            raise TooLarge
        if isinstance(value, str):
            text = Text(value)
            text.path = path
            if _SMILES.fullmatch(name):
                self._smiles[path] = value
            elif _LIGANDS.fullmatch(name):
                self._names[path] = value
            elif (is_certain := bool(_FILE.fullmatch(name))) or _MAYBE_FILE.fullmatch(name):
                self.is_file(text, is_certain=is_certain)
            return text
        before = f"{path}." if path else ""
        if isinstance(value, dict):
            for list_file in LIST_FILES & value.keys():
                self.warnings[NOT_READ.format(f"{before}{list_file}")] = None
            made = Object((key, self.noted(entry, f"{before}{key}", str(key))) for key, entry in value.items())
            made.path = path
            if is_reference(value):
                self.is_file(made)
            elif entity := _ENTITY.fullmatch(name):
                self.is_entity(made, entity[1])
            return made
        if isinstance(value, list):
            entries = List(self.noted(entry, f"{before}{place}", name) for place, entry in enumerate(value))
            entries.path = path
            self._lists[path] = value
            return entries
        return value

    def molecule_problems(self) -> list[str]:
        kinds = ((self._smiles, smiles.smiles_problem), (self._names, smiles.name_problem))
        return [
            # As JSON, so that control characters are visible.
            f"{path}: {one_line(json.dumps(text[:VALUE_CHARACTERS]), VALUE_CHARACTERS)} {problem}"
            for texts, check in kinds
            for path, text in texts.items()
            if (problem := check(text))
        ]

    @property
    def ligands(self) -> dict[str, str]:
        """SMILES of whole molecules whose text is valid, by their paths."""
        return {
            path: text
            for path, text in self._smiles.items()
            if _LIGAND_SMILES.search(path) and smiles.smiles_problem(text) is None
        }

    @property
    def files(self) -> list[InputFile]:
        return [*self._files.values()]

    @property
    def entities(self) -> list[InputEntity]:
        return [*self._entities.values()]

    def repeats(self, canonical: Mapping[str, str]) -> list[Repeats]:
        """Lists of molecules, or of other objects, that hold one twice.

        Args:
            canonical: SMILES by the paths of those that were read.
        """
        found = []
        molecules = {**self._smiles, **self._names}
        for path, entries in self._lists.items():
            if not all(
                isinstance(entry, dict) or f"{path}.{place}" in molecules for place, entry in enumerate(entries)
            ):
                continue
            counts = Counter(_molecule_of(entry, f"{path}.{place}", canonical) for place, entry in enumerate(entries))
            if len(counts) < len(entries):
                most, count = counts.most_common(1)[0]
                found.append(Repeats(path, len(entries), len(counts), smiles.shown(most), count))
        return found[:MAX_SHOWN]


def _molecule_of(entry: Any, path: str, canonical: Mapping[str, str]) -> str:
    """What makes the molecules of a list distinct; names do not."""
    if isinstance(entry, dict):
        if isinstance(entry.get("smiles"), str):
            return canonical.get(f"{path}.smiles") or str(entry["smiles"])
        entry = {key: value for key, value in entry.items() if key != "name"}
    return (canonical.get(path) or entry) if isinstance(entry, str) else json.dumps(entry, sort_keys=True)


class Text(str):
    path: str

    def __repr__(self) -> str:
        return shown(str(self[: 2 * VALUE_CHARACTERS]), VALUE_CHARACTERS)

    __hash__ = str.__hash__


class Object(dict[str, Any]):
    path: str

    def __repr__(self) -> str:
        return shown(self, VALUE_CHARACTERS)


class List(list[Any]):
    path: str

    def __repr__(self) -> str:
        return shown(self, VALUE_CHARACTERS)


CURRENT: ContextVar[CheckState] = ContextVar("the current check")

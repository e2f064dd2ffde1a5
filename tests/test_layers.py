"""The one direction of imports (errors → settings → platform → tools → server → http → cli), read from the source."""

import ast
import graphlib
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import deeporigin_mcp
from tests.support.processes import run

ROOT = Path(deeporigin_mcp.__file__).parent
PACKAGE = "deeporigin_mcp"

CLI_SIDE = ("approve", "cli", "demo", "doctor", "install", "view", "wait", "__main__")
"""Rooms of the command line: they may use everything."""
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "__init__": (),
    "errors": (),
    "settings": ("errors",),
    "platform": ("errors", "settings"),
    "logs": ("errors", "settings", "platform"),
    "stdio": ("errors", "platform", "logs"),
    "extensions": ("errors",),
    "tools": ("errors", "settings", "platform", "logs", "extensions", "apps"),
    "server": ("errors", "settings", "platform", "tools", "logs", "extensions"),
    "http": ("errors", "settings", "platform", "tools", "logs", "extensions", "server"),
    "simulator": (),
    "apps": (),
}
"""Room → rooms of this package that it may use beside itself."""
FLOORS: dict[str, tuple[str, ...]] = {
    "platform": ("records", "transport", "waiting", "clients", "client"),
    "tools": (
        *("responses", "approvals", "runtime", "spending", "files", "molecules"),
        *("catalogue", "workspace", "executions", "protocol"),
    ),
    "simulator": ("model", "state", "services", "runner"),
}
"""Room → the rooms inside it, from the bottom: each may import those before it."""
SIMULATOR_NEEDS = ("starlette", "uvicorn", "jsonschema")
THIRD_PARTY = (
    "anyio",
    "h11",
    "httpx",
    "jsonschema",
    "mcp",
    "mcp_types",
    "opentelemetry",
    "pydantic",
    "pydantic_core",
    "rdkit",
    "referencing",
    "socksio",
    "sse_starlette",
    "starlette",
    "uvicorn",
)
LIGHT = ("__future__", "argparse", "collections", "gc", "signal", "sys", "typing")
"""What cli.py may import before a command is chosen, beside the package's own version."""


@dataclass(frozen=True)
class Import:
    """One imported module, as `import a.b` or `from a.b import c` names it; names of this package come with `c`."""

    path: Path
    line: int
    module: str
    at_top: bool

    @property
    def room(self) -> str:
        return room_of(self.path)

    @property
    def top(self) -> str:
        return self.module.partition(".")[0]

    @property
    def target(self) -> str:
        """The room of this package that is imported; empty for anything else."""
        if self.top != PACKAGE:
            return ""
        room = [*self.module.split("."), ""][1]
        return room if room in ROOMS else "__init__"

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT.parent)}:{self.line} imports {self.module}"


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports_of(path: Path) -> Iterator[Import]:
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    top = set(map(id, tree.body))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(path, node.lineno, alias.name, id(node) in top)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path.relative_to(ROOT.parent)}:{node.lineno} imports relatively; name the module"
            for alias in node.names:
                ours = str(node.module).partition(".")[0] == PACKAGE
                whole = f"{node.module}.{alias.name}" if ours else str(node.module)
                yield Import(path, node.lineno, whole, id(node) in top)


FILES = sorted(ROOT.rglob("*.py"))
IMPORTS = [found for path in FILES for found in imports_of(path)]
ROOMS = sorted({room_of(path) for path in FILES})


def broken(rule: str, is_wrong: Callable[[Import], bool]) -> list[str]:
    return [f"{found}: {rule}" for found in IMPORTS if is_wrong(found)]


def is_module(path: Path, name: str) -> bool:
    return path == ROOT / f"{name}.py"


def test_every_room_has_its_rule() -> None:
    unknown = set(ROOMS) - set(MAY_IMPORT) - set(CLI_SIDE)
    assert not unknown, f"say in MAY_IMPORT what {sorted(unknown)} may import"


@pytest.mark.parametrize("room", sorted(set(ROOMS) - set(CLI_SIDE)))
def test_imports_follow_the_one_direction(room: str) -> None:
    allowed = {room, "__init__", *MAY_IMPORT.get(room, ())}

    def is_wrong(found: Import) -> bool:
        return found.room == room and bool(found.target) and found.target not in allowed

    assert broken(f"{room} may import only {', '.join(sorted(allowed - {'__init__'}))}", is_wrong) == []


def test_nobody_below_the_command_line_imports_it() -> None:
    assert broken("nothing imports the command line", lambda i: i.target in CLI_SIDE and i.room not in CLI_SIDE) == []


def test_nobody_but_the_command_line_imports_the_simulator() -> None:
    def is_wrong(found: Import) -> bool:
        return found.target == "simulator" and found.room not in ("simulator", *CLI_SIDE)

    assert broken("only the command line starts the simulator", is_wrong) == []


def test_the_simulator_needs_little() -> None:
    def is_wrong(found: Import) -> bool:
        return found.room == "simulator" and found.top in set(THIRD_PARTY) - set(SIMULATOR_NEEDS)

    assert broken(f"the simulator uses the standard library and {', '.join(SIMULATOR_NEEDS)} only", is_wrong) == []


def inside(package: str) -> dict[str, list[Import]]:
    """File of a package → what it imports of the same package; files as `room.file`, without `__init__.py`."""
    found: dict[str, list[Import]] = {}
    for path in FILES:
        if room_of(path) == package and path.name != "__init__.py":
            file = ".".join(path.relative_to(ROOT / package).with_suffix("").parts)
            found[file] = [each for each in IMPORTS if each.path == path and each.target == package]
    return found


def test_the_architecture_shows_every_room_and_every_floor() -> None:
    text = (ROOT.parent / "docs/architecture.md").read_text(encoding="utf-8")
    rooms = re.findall(r"^\| (`[^|]+) \|", text.partition("| room |")[2].partition("\n\n")[0], re.MULTILINE)
    shown = [name.removesuffix("/").removesuffix(".py") for name in re.findall(r"`([^`]+)`", " ".join(rooms))]
    assert sorted(shown) == sorted({*MAY_IMPORT, *CLI_SIDE} - {"__init__", "__main__"})
    for package, floors in FLOORS.items():
        table = text.partition(f"| from the top | `{package}/` |")[2].partition("\n\n")[0]
        names = re.findall(r"^\| `(\w+)", table, re.MULTILINE)
        assert names == [*reversed(floors)], "say in docs/architecture.md what lives there"


@pytest.mark.parametrize("package", FLOORS)
def test_imports_inside_a_room_go_down(package: str) -> None:
    floors, files = FLOORS[package], inside(package)
    assert {file.partition(".")[0] for file in files} == {*floors}, "say in FLOORS where a new room belongs"
    for file, imports in files.items():
        own = file.partition(".")[0]
        allowed = floors[: floors.index(own) + 1]
        for found in imports:
            assert found.module.split(".")[2] in allowed, f"{found}, which is not below {package}/{own}"


@pytest.mark.parametrize("package", FLOORS)
def test_the_files_of_a_room_import_each_other_without_a_circle(package: str) -> None:
    files = inside(package)
    needs = {
        file: {
            other
            for found in imports
            for other in files
            if f"{found.module}.".startswith(f"{PACKAGE}.{package}.{other}.")
        }
        for file, imports in files.items()
    }
    # A CycleError names the circle.
    assert {*graphlib.TopologicalSorter(needs).static_order()} == {*files}


def test_only_the_platform_room_speaks_http() -> None:
    assert broken("only platform/ imports httpx", lambda i: i.top == "httpx" and i.room != "platform") == []


def test_only_tools_server_and_extensions_speak_mcp() -> None:
    allowed = ("tools", "server", "stdio", "http", "extensions", *CLI_SIDE)
    assert (
        broken(
            "only tools/, server.py, the transports and extensions/ import mcp",
            lambda i: i.top in ("mcp", "mcp_types") and i.room not in allowed,
        )
        == []
    )


def test_the_rooms_below_the_tools_need_no_mcp_to_be_imported() -> None:
    below = ("errors", "settings", "platform", "logs", "__init__")
    assert (
        broken(
            "usable without MCP", lambda i: i.room in below and i.top in ("mcp", "mcp_types", "starlette", "uvicorn")
        )
        == []
    )


def test_nothing_unforeseen_is_needed() -> None:
    def is_wrong(found: Import) -> bool:
        return found.top not in (*sys.stdlib_module_names, *THIRD_PARTY, PACKAGE)

    assert broken("no dependency of this package; see the reasons in CONTRIBUTING.md", is_wrong) == []


def names_used(path: Path) -> Iterator[tuple[int, str]]:
    """Dotted names that a file uses, such as `os.environ`, and names that it imports from modules."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield node.lineno, f"{node.value.id}.{node.attr}"
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"


@pytest.mark.parametrize(
    ("names", "owner"),
    [
        (("os.environ", "os.environb", "os.getenv", "os.getenvb", "os.putenv"), "settings/reading"),
        (("sys.argv",), "cli"),
        (("Path.home", "os.path.expanduser"), "settings/reading"),
    ],
)
def test_each_part_of_the_outside_world_has_one_reader(names: tuple[str, ...], owner: str) -> None:
    # The command line hands its environment on to processes that it starts.
    wrong = [
        f"{path.relative_to(ROOT.parent)}:{line} uses {name}: only {owner}.py reads it"
        for path in FILES
        if not is_module(path, owner) and not (owner == "settings/reading" and room_of(path) in CLI_SIDE)
        for line, name in names_used(path)
        if name in names
    ]
    assert wrong == []


def test_the_command_line_imports_nothing_heavy_before_a_command_is_chosen() -> None:
    def is_wrong(found: Import) -> bool:
        return is_module(found.path, "cli") and found.at_top and found.top not in LIGHT and found.target != "__init__"

    assert broken("import it inside the command that needs it", is_wrong) == []


def test_a_server_starts_without_what_only_its_calls_need(tmp_path: Path) -> None:
    start = "import sys; from deeporigin_mcp.server import create_server; from deeporigin_mcp.settings import Settings"
    look = "create_server(Settings()); print(sorted({'httpx', 'jsonschema'} & set(sys.modules)))"
    assert run([sys.executable, "-c", f"{start}; {look}"], tmp_path).stdout == "[]\n"


def test_an_import_against_the_floors_is_found_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = Import(ROOT / "tools/responses/views.py", 3, f"{PACKAGE}.tools.runtime.state.ServerState", at_top=True)
    monkeypatch.setattr(f"{__name__}.IMPORTS", [wrong])
    with pytest.raises(AssertionError, match=r"views\.py:3 imports .*, which is not below tools/responses"):
        test_imports_inside_a_room_go_down("tools")


def test_a_circle_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = (("steps", "views"), ("views", "steps"))
    circle = [
        Import(ROOT / f"tools/responses/{one}.py", 3, f"{PACKAGE}.tools.responses.{two}", True) for one, two in pairs
    ]
    monkeypatch.setattr(f"{__name__}.IMPORTS", circle)
    with pytest.raises(graphlib.CycleError, match=r"responses\.views"):
        test_the_files_of_a_room_import_each_other_without_a_circle("tools")


def test_an_import_against_the_direction_is_found_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = ROOT / "errors.py"
    found = Import(wrong, 3, "deeporigin_mcp.platform.records.execution", at_top=True)
    monkeypatch.setattr(f"{__name__}.IMPORTS", [found])
    with pytest.raises(
        AssertionError,
        match=r"errors\.py:3 imports deeporigin_mcp\.platform\.records\.execution: errors may import only",
    ):
        test_imports_follow_the_one_direction("errors")

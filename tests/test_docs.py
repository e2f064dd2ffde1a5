"""The documentation tells the truth: its commands and programs are run, its links and variables exist."""

from __future__ import annotations

import ast
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import anyio
import jsonschema
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp_types import ElicitRequestParams, ElicitResult

from deeporigin_mcp.cli import CLIENTS
from deeporigin_mcp.simulator.model.catalogue import standard_catalogue
from deeporigin_mcp.simulator.model.molecules import helix_pdb
from deeporigin_mcp.tools.files.columns import KNOWN
from deeporigin_mcp.tools.workspace.summarize_spending import SpendingSums
from tests.support.documents import VARIABLE, variables_that_are_read
from tests.support.processes import REPOSITORY, TIMEOUT_SECONDS, demo_run, environment, run

DOCS = REPOSITORY / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
TUTORIAL = DOCS / "tutorial.md"
IMAGES = DOCS / "images"
OF_OTHER_NAMES = ("library.md", "simulator.md", "architecture.md", "reference")
"""Pages that name what there is in Python, or that are written from the program."""
GUIDES = [*PAGES, *(REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md"))]
EXECUTED = ("bash", "python")
SHOWN_ONLY = ("text", "json")
"""Languages of blocks that are no commands."""
NOT_OURS = ("docker", "gunicorn", "hypercorn", "kubectl", "opentelemetry-instrument", "pip")
"""Programs that the checks do not install; what is said of them is checked by the tests of what they are used on."""
SERVING = ("serve", "simulator", "uvicorn")
LOCAL = "DO_ENV=local"


def name_of(page: Path) -> str:
    return page.relative_to(REPOSITORY).as_posix()


def blocks(page: Path) -> list[tuple[str, str]]:
    """The fenced blocks of a page: (language, content)."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def of(language: str) -> list[object]:
    return [
        pytest.param(content, id=f"{name_of(page)}-{number}")
        for page in PAGES
        for number, (found, content) in enumerate(blocks(page))
        if found == language and page != TUTORIAL
    ]


class Shell:
    """Runs command lines as they are shown. A simulator takes a free port, and what has DO_ENV=local is sent there."""

    def __init__(self, home: Path, stack: ExitStack) -> None:
        self._home = home
        self._stack = stack
        self._address: str | None = None

    def run(self, block: str) -> None:
        for line in block.replace("\\\n", " ").splitlines():
            words = [word.replace("~/", f"{self._home}/") for word in shlex.split(line) if word != "&"]
            variables = {}
            while re.fullmatch(r"[A-Z_]+=.*", words[0]):
                name, _, variables[name] = words.pop(0).partition("=")
            if words[0] not in NOT_OURS:
                self._run(line, words, variables)

    def _run(self, line: str, words: list[str], variables: dict[str, str]) -> None:
        goes_on = any(word in SERVING for word in words[:2])
        words += ["--port", "0"] if goes_on else []
        if self._address and LOCAL in line:
            if LOCAL in words:
                words += ["--env", f"DO_BASE_URL={self._address}"]
            variables["DO_BASE_URL"] = self._address
        if words[0] == "deeporigin-mcp":
            words[:1] = [sys.executable, "-m", "deeporigin_mcp"]
        if goes_on:
            address = self._stack.enter_context(going_on(words, self._home, variables))
            self._address = address if "simulator" in words else self._address
        else:
            done = run(words, self._home, variables=variables)
            assert done.returncode == 0, (line, done.stdout, done.stderr)


@contextmanager
def going_on(words: list[str], home: Path, variables: dict[str, str]) -> Iterator[str]:
    """A command that serves until it is ended; its address, which it names when it is ready."""
    process = subprocess.Popen(
        words, env=environment(home, **variables), cwd=REPOSITORY, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    try:
        said = ""
        for line in process.stderr:
            said += line
            if address := re.search(r"http://[\w.:]+", line):
                break
        else:
            pytest.fail(f"{words} ended: {said}")
        yield address.group()
    finally:
        process.terminate()
        process.communicate(timeout=TIMEOUT_SECONDS)


@pytest.mark.parametrize("content", of("bash"))
def test_every_command_works_as_shown(content: str, tmp_path: Path) -> None:
    with ExitStack() as stack:
        Shell(tmp_path, stack).run(content)


@pytest.mark.parametrize("content", of("python"))
def test_every_program_runs_as_shown(content: str, tmp_path: Path) -> None:
    done = run([sys.executable, "-W", "error", "-c", content], tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


class Reader:
    """Who follows the tutorial: makes the calls that it shows, with what earlier ones returned, and says yes."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.known: dict[str, Any] = {}
        """What the calls name in capitals."""
        self.returned: dict[str, Any] = {}

    async def follow(self, call: ast.Call) -> None:
        assert isinstance(call.func, ast.Name)
        tool = call.func.id
        arguments = {argument.arg or "": self._value(argument.value) for argument in call.keywords}
        result = await self._called(tool, arguments)
        # A run may go on, and what it found is stored a little after its end.
        while not result.get("all_done", True) or result.get("molecules") == []:
            result = await self._called(tool, arguments)
        self.returned[f"{tool} {arguments.get('kind', '')}".strip()] = result
        kind = str(arguments.get("kind", "")).upper()
        if tool == "import_molecules":
            self.known[kind] = result["as_input"]
        elif tool == "find_molecules":
            self.known[kind] = result["molecules"][0]["as_input"]
        elif tool == "create_execution":
            self.known |= {"RUN": result["execution_id"], "PRICE": result["quoted_price"]}

    async def _called(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        result = await self._client.call_tool(tool, arguments)
        assert not result.is_error, result.content
        assert result.structured_content is not None
        return dict(result.structured_content)

    def _value(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Name):
            return self.known[node.id]
        if isinstance(node, ast.Dict):
            return {
                ast.literal_eval(name or ""): self._value(one) for name, one in zip(node.keys, node.values, strict=True)
            }
        if isinstance(node, ast.List):
            return [self._value(one) for one in node.elts]
        return ast.literal_eval(node)


def calls(text: str) -> list[ast.Call]:
    """Calls of tools, as a page shows them; [] if it is something else."""
    try:
        found = [node.value for node in ast.parse(text).body if isinstance(node, ast.Expr)]
    except SyntaxError:
        return []
    return [call for call in found if isinstance(call, ast.Call)]


def test_the_tutorial_leads_from_a_pdb_file_to_poses(tmp_path: Path) -> None:
    shown = blocks(TUTORIAL)
    first, last = (
        find(number for number, (language, _) in enumerate(shown) if language == "text") for find in (min, max)
    )
    file = tmp_path / ".claude.json"
    file.write_text("{}", encoding="utf-8")
    questions = []

    async def yes(context: Any, params: ElicitRequestParams) -> ElicitResult:
        questions.append(params.message)
        return ElicitResult(action="accept", content={"approve": True})

    async def follow() -> Reader:
        [entry] = json.loads(file.read_text(encoding="utf-8"))["mcpServers"].values()
        # What Claude Code would take from its own environment, in which nothing is set.
        given = {name: "" if value.startswith("${") else value for name, value in entry["env"].items()}
        server = StdioServerParameters(command=entry["command"], args=entry["args"], env=environment(tmp_path, **given))
        with anyio.fail_after(2 * TIMEOUT_SECONDS):
            async with Client(stdio_client(server), elicitation_callback=yes) as client:
                return await followed(Reader(client))

    async def followed(reader: Reader) -> Reader:
        for _, content in shown[first : last + 1]:
            assert calls(content) != []
            for call in calls(content):
                await reader.follow(call)
        return reader

    with ExitStack() as stack:
        shell = Shell(tmp_path, stack)
        for language, content in shown[:first]:
            assert language == "bash"
            shell.run(content)
        reader = anyio.run(follow)
        for _, content in shown[last + 1 :]:
            shell.run(content)

    text = TUTORIAL.read_text(encoding="utf-8")
    prices = [re.findall(r"for ([\d.]+ USD)", question)[0] for question in questions]
    assert prices == re.findall(r"(?:is|here the price is) ([\d.]+ USD)", text)
    assert [row["name"] for row in reader.returned["import_molecules ligands"]["refused"]] == ["cisplatin"]
    name = Path(reader.returned["download_files"]["folder"])
    assert name.is_relative_to("~/deeporigin")
    folder = tmp_path / name.relative_to("~")
    assert {"combined.sdf", "index.csv"} < {path.name for path in folder.iterdir()}
    assert json.loads(file.read_text(encoding="utf-8")).get("mcpServers", {}) == {}


def test_the_protein_of_the_tutorial_is_the_simulators() -> None:
    assert (DOCS / "files/helix.pdb").read_text(encoding="utf-8") == helix_pdb()


def test_the_client_configuration_is_that_of_the_examples_with_credentials() -> None:
    [shown] = [json.loads(content) for language, content in blocks(DOCS / "how-to/install.md") if language == "json"]
    credentials = shown["mcpServers"]["deeporigin"].pop("env")
    assert shown == json.loads((REPOSITORY / "examples/clients/claude-desktop.json").read_text(encoding="utf-8"))
    assert set(credentials) <= variables_that_are_read()


def test_every_client_that_install_knows_is_described() -> None:
    text = (DOCS / "how-to/install.md").read_text(encoding="utf-8")
    rows = "".join(re.findall(r"^\| (`[a-z].*?) \|", text, re.MULTILINE))
    assert sorted(re.findall("`([a-z-]+)`", rows)) == sorted(CLIENTS)


SURFACE = {
    path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (REPOSITORY / "tests/surface").glob("*.json")
}
"""What a client is shown of each tool."""


def schema_of(tool: str) -> dict[str, Any]:
    """The parameters of a tool."""
    assert tool in SURFACE, f"no tool {tool}"
    properties: dict[str, Any] = SURFACE[tool]["inputSchema"]["properties"]
    return properties


def names_in(schema: Any) -> set[str]:
    """The names of all properties of a JSON Schema."""
    if isinstance(schema, list):
        return set().union(*map(names_in, schema))
    if not isinstance(schema, dict):
        return set()
    properties = schema.get("properties")
    return (set(properties) if isinstance(properties, dict) else set()) | names_in([*schema.values()])


WORDS = (
    {*SURFACE, *re.findall(r"`(\w+)`", (DOCS / "reference/errors.md").read_text(encoding="utf-8"))}
    | names_in([*SURFACE.values()])
    | names_in([tool.inputs for tool in standard_catalogue().definitions])
    | {*KNOWN}
)
"""What is named in code on pages for people who use the tools: tools, parameters, fields, codes, columns."""


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_call_that_is_shown_can_be_made(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    shown = [*re.findall(r"`(\w+\([^`]*\))`", text), *(content for _, content in blocks(page) if calls(content))]
    for call in (call for code in shown for call in calls(code)):
        if isinstance(call.func, ast.Name) and call.keywords and page.name not in ("library.md", "simulator.md"):
            properties = schema_of(call.func.id)
            for argument in call.keywords:
                assert argument.arg in properties, ast.unparse(call)
                # A word in capitals is what the reader fills in.
                if not any(isinstance(node, ast.Name) for node in ast.walk(argument.value)):
                    jsonschema.validate(ast.literal_eval(argument.value), properties[argument.arg])


@pytest.mark.parametrize(
    "page", [page for page in PAGES if not {page.name, page.parent.name} & {*OF_OTHER_NAMES}], ids=name_of
)
def test_every_field_that_is_named_exists(page: Path) -> None:
    named = re.findall(r"`([a-z]+(?:_[a-z0-9]+)+)`", page.read_text(encoding="utf-8"))
    assert {*named} <= WORDS


def test_the_columns_of_costs_are_those_that_there_are() -> None:
    shown = re.findall(r"^\| `(\w+)`", (DOCS / "how-to/costs.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(shown) == sorted({*SpendingSums.model_fields} - {"group", "id", "count"})


def test_the_reference_is_what_the_program_says() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/reference.py", "--check"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_block_is_of_a_known_kind(page: Path) -> None:
    assert {language for language, _ in blocks(page)} <= {*EXECUTED, *SHOWN_ONLY}


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and the site make them."""
    heads = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head).lower().replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", GUIDES, ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#]*)#?([^)]*)\)", page.read_text(encoding="utf-8")):
        if "://" in target:
            # Nothing is fetched; what can be wrong is the form.
            assert re.fullmatch(r"https://[\w-]+(\.[\w-]+)+(/[^\s]*)?", target), target
            continue
        path = page.parent / target if target else page
        assert path.exists(), target
        assert not anchor or path.suffix != ".md" or anchor in anchors(path), anchor


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_variable_that_is_named_is_read(page: Path) -> None:
    named = {match.group() for match in VARIABLE.finditer(page.read_text(encoding="utf-8"))}
    assert named <= variables_that_are_read()


def is_room(path: Path) -> bool:
    """What begins with a dot is made by scripts, and may not be there yet."""
    return path.is_dir() and not path.name.startswith(".")


@pytest.mark.parametrize("page", GUIDES, ids=name_of)
def test_every_path_that_is_named_exists(page: Path) -> None:
    roots = (REPOSITORY, REPOSITORY / "deeporigin_mcp")
    rooms = "|".join(re.escape(path.name) for root in roots for path in root.iterdir() if is_room(path))
    named = re.findall(rf"`((?:{rooms})/[\w./-]*)`", page.read_text(encoding="utf-8"))
    assert [path for path in named if not any((root / path).exists() for root in roots)] == []


@pytest.mark.parametrize("page", GUIDES, ids=name_of)
def test_every_file_of_python_that_is_named_exists(page: Path) -> None:
    files = {path.name for room in ("deeporigin_mcp", "tests", "scripts") for path in (REPOSITORY / room).rglob("*.py")}
    assert {*re.findall(r"`(\w+\.py)`", page.read_text(encoding="utf-8"))} <= files


def test_every_directory_of_tests_is_described() -> None:
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    there = [path for path in (REPOSITORY / "tests").iterdir() if any(path.glob("*.py")) and path.name[0] not in "._"]
    assert [path.name for path in there if f"`tests/{path.name}`" not in text] == []


def test_every_page_is_linked_from_the_readme() -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert [name_of(page) for page in PAGES if f"({name_of(page)})" not in readme] == []


def pictures(page: Path) -> list[tuple[Path, str | None]]:
    """Files that a page shows, and the words for who does not see them; None for another file of the same picture."""
    content = page.read_text(encoding="utf-8")
    found: list[tuple[str, str | None]] = [
        (path, words) for words, path in re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", content)
    ]
    for tag in re.findall(r"<(?:img|source)\b[^>]*>", content):
        attributes = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        is_image = tag.startswith("<img")
        found.append((attributes["src" if is_image else "srcset"], attributes.get("alt", "") if is_image else None))
    # The install badges are drawn by the clients that they belong to.
    return [(page.parent / path, words) for path, words in found if "://" not in path]


def test_pictures_exist_are_small_and_are_described() -> None:
    shown = [picture for page in GUIDES for picture in pictures(page)]
    for path, words in shown:
        assert path.stat().st_size < 250_000, path
        assert words is None or len(words) > 20, path
    assert {path.resolve() for path, _ in shown} == {*IMAGES.iterdir()}
    # The first thing that is seen of the project is what comes out of it.
    assert [path.name for path, _ in pictures(REPOSITORY / "README.md")][:2] == ["results-dark.png", "results.png"]


def heading_in(picture: Path) -> str:
    """The heading of the page that was drawn; `scripts/pictures` writes it into the file."""
    [(length, kept)] = re.findall(rb"(....)tEXtTitle\x00(.*)", picture.read_bytes(), re.DOTALL)
    return str(kept[: int.from_bytes(length) - len("Title ")].decode("latin-1"))


@pytest.mark.parametrize("name", ["approval.png", "approval-dark.png"])
def test_the_picture_of_the_approval_page_asks_as_the_server_does(name: str) -> None:
    heading = heading_in(IMAGES / name)
    assert heading.startswith("Start this ")
    assert re.sub(r"[\d.]+ USD", "PRICE", heading) in re.sub(r"[\d.]+ USD", "PRICE", demo_run().stdout)

"""The documentation tells the truth: its commands and programs are run, its links and variables exist."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.support.documents import VARIABLE, variables_that_are_read
from tests.support.processes import REPOSITORY, TIMEOUT_SECONDS, demo_run, environment, run

PAGES = sorted((REPOSITORY / "docs").glob("*.md"))
EXECUTED = ("bash", "python")
SHOWN_ONLY = ("text", "json")
"""Languages of blocks that are no commands."""
NOT_OURS = ("docker", "gunicorn", "hypercorn", "kubectl", "opentelemetry-instrument", "pip")
"""Programs that the checks do not install; what is said of them is checked by the tests of what they are used on."""
SERVING = ("serve", "simulator", "uvicorn")


def blocks(page: Path) -> list[tuple[str, str]]:
    """The fenced blocks of a page: (language, content)."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def of(language: str) -> list[object]:
    return [
        pytest.param(content, id=f"{page.name}-{number}")
        for page in PAGES
        for number, (found, content) in enumerate(blocks(page))
        if found == language
    ]


def split(line: str) -> tuple[dict[str, str], list[str], bool]:
    """A command line of the docs: its variables, its words, and whether it goes on until it is ended."""
    words = [word for word in shlex.split(line) if word != "&"]
    variables = {}
    while re.fullmatch(r"[A-Z_]+=.*", words[0]):
        name, _, value = words.pop(0).partition("=")
        variables[name] = value
    goes_on = any(word in SERVING for word in words[:2])
    if goes_on and "simulator" not in words:
        # The usual port may be taken; the simulator's is where the next command looks.
        words += ["--port", "0"]
    if words[0] == "deeporigin-mcp":
        words[:1] = [sys.executable, "-m", "deeporigin_mcp"]
    return variables, words, goes_on


@contextmanager
def going_on(words: list[str], home: Path, variables: dict[str, str]) -> Iterator[None]:
    """A command that serves until it is ended; it is ready when it names its address."""
    process = subprocess.Popen(
        words, env=environment(home, **variables), cwd=REPOSITORY, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    try:
        said = ""
        for line in process.stderr:
            said += line
            if "http://" in line:
                break
        else:
            pytest.fail(f"{words} ended: {said}")
        yield
    finally:
        process.terminate()
        process.communicate(timeout=TIMEOUT_SECONDS)


@pytest.mark.parametrize("content", of("bash"))
def test_every_command_works_as_shown(content: str, tmp_path: Path) -> None:
    with ExitStack() as stack:
        for line in content.splitlines():
            variables, words, goes_on = split(line)
            if words[0] in NOT_OURS:
                continue
            if goes_on:
                stack.enter_context(going_on(words, tmp_path, variables))
            else:
                done = run(words, tmp_path, variables=variables)
                assert done.returncode == 0, (line, done.stdout, done.stderr)


@pytest.mark.parametrize("content", of("python"))
def test_every_program_runs_as_shown(content: str, tmp_path: Path) -> None:
    done = run([sys.executable, "-W", "error", "-c", content], tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_is_of_a_known_kind(page: Path) -> None:
    assert {language for language, _ in blocks(page)} <= {*EXECUTED, *SHOWN_ONLY}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target, anchor in re.findall(r"\]\(([^)#]*)#?([^)]*)\)", text):
        assert "://" in target or (page.parent / target).exists(), target
        if anchor and target.endswith(".md"):
            heads = re.findall(r"^#+ (.*)$", (page.parent / target).read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in [re.sub(r"[^\w -]", "", head).lower().replace(" ", "-") for head in heads]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_variable_that_is_named_is_read(page: Path) -> None:
    named = {match.group() for match in VARIABLE.finditer(page.read_text(encoding="utf-8"))}
    assert named <= variables_that_are_read()


GUIDES = [*PAGES, *(REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md"))]


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.name)
def test_every_path_that_is_named_exists(page: Path) -> None:
    roots = (REPOSITORY, REPOSITORY / "deeporigin_mcp")
    rooms = "|".join(re.escape(path.name) for root in roots for path in root.iterdir() if path.is_dir())
    named = re.findall(rf"`((?:{rooms})/[\w./-]*)`", page.read_text(encoding="utf-8"))
    assert [path for path in named if not any((root / path).exists() for root in roots)] == []


def test_every_page_is_linked_from_the_readme() -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in PAGES if f"(docs/{page.name})" not in readme] == []


def test_the_picture_is_drawn_from_a_run_of_the_demo(tmp_path: Path) -> None:
    def texts(picture: Path) -> str:
        drawn = ET.parse(picture).getroot()
        assert "http" not in " ".join(str(value) for node in drawn.iter() for value in node.attrib.values())
        return "".join(drawn.itertext()).replace("\xa0", " ")

    def shape(text: str) -> set[str]:
        return set(re.findall(r"→ \w+|the person (?:is asked|says yes)|On disk", text))

    demo = demo_run().stdout
    done = subprocess.run(
        [sys.executable, "scripts/draw_session.py", str(tmp_path / "session.svg")],
        cwd=REPOSITORY,
        env=environment(tmp_path),
        input=demo,
        text=True,
        encoding="utf-8",
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    now, shown = texts(tmp_path / "session.svg"), texts(REPOSITORY / "docs/session.svg")
    assert shape(shown) == shape(now)
    assert "the person says yes" in shown
    for line in demo.splitlines():
        if line.startswith("  index.csv"):
            assert line in now

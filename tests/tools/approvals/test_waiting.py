"""Questions that wait for a terminal: files of their owner, whole or not there, answered once."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from deeporigin_mcp.tools.approvals import waiting
from deeporigin_mcp.tools.approvals.pending import UNANSWERED, Answer, Reply
from deeporigin_mcp.tools.approvals.question import Question
from tests.support.browser import Browser

pytestmark = pytest.mark.anyio

QUESTION = Question(
    execution_id="e-1",
    title="Start this Deep Origin run for 5.00 USD, charged to acme?",
    price="5.00 USD",
    facts=(("Tool", "deeporigin.docking 4.2.0"), ("Name", '"Kinase screen"'), ("Project", "proj_1")),
    items=(("Docking", "5.00 USD"),),
    consequence="Yes starts it at once and cannot be undone.",
    about=("5.00 USD", "deeporigin.docking", "4.2.0", "proj_1"),
)


class Asked:
    """A question that waits, and the reply to it. Its server looks when `look` is called."""

    def __init__(self) -> None:
        self.reply: Reply | None = None
        self.scope = anyio.CancelScope()
        self.is_open = True
        self._beat = anyio.Event()

    async def wait(self) -> None:
        with self.scope:
            self.reply = await waiting.answered(QUESTION, self._sleep, lambda: self.is_open)

    async def _sleep(self, seconds: float) -> None:
        assert 0 < seconds <= 1
        await self._beat.wait()
        self._beat = anyio.Event()

    async def look(self) -> Reply | None:
        """Let the server look once."""
        self._beat.set()
        await anyio.wait_all_tasks_blocked()
        return self.reply


@pytest.fixture
async def asked(browser: Browser, anyio_backend: str) -> AsyncIterator[Asked]:
    found = Asked()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(found.wait)
        await anyio.wait_all_tasks_blocked()
        yield found
        found.scope.cancel()


def files(browser: Browser) -> list[Path]:
    return sorted(browser.questions.iterdir())


async def test_a_waiting_question_is_read_as_it_was_written(asked: Asked) -> None:
    assert [each.question for each in waiting.questions()] == [QUESTION]


async def test_an_answer_that_is_too_late_is_left_where_the_terminal_finds_it(asked: Asked, browser: Browser) -> None:
    (each,) = waiting.questions()
    asked.is_open = False
    assert waiting.answer(each, is_yes=True)
    assert await asked.look() == UNANSWERED
    assert not files(browser)


@pytest.mark.parametrize(("is_yes", "answer"), [(True, Answer.YES), (False, Answer.NO)])
async def test_the_answer_reaches_the_server_and_nothing_is_left(
    asked: Asked, browser: Browser, is_yes: bool, answer: Answer
) -> None:
    (each,) = waiting.questions()
    assert waiting.answer(each, is_yes=is_yes)
    reply = await asked.look()
    assert reply is not None
    assert (reply.answer, reply.detail) == (answer, "terminal")
    assert not files(browser)
    assert not waiting.close(each)
    # A second answer finds no question.
    assert not waiting.answer(each, is_yes=True)
    assert not files(browser)


async def test_a_question_that_is_closed_leaves_nothing_and_takes_no_answer(asked: Asked, browser: Browser) -> None:
    (each,) = waiting.questions()
    asked.scope.cancel()
    await anyio.wait_all_tasks_blocked()
    assert not files(browser)
    assert not waiting.answer(each, is_yes=True)
    assert waiting.questions() == []


async def test_only_its_owner_can_list_and_read_them_and_their_names_tell_nothing(
    asked: Asked, browser: Browser
) -> None:
    (path,) = files(browser)
    assert stat.S_IMODE(browser.questions.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.suffix == ".question"
    assert all(word not in path.name for word in ("e-1", "docking", "5.0", "acme"))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[" * 100_000,
        b"[]",
        b'{"answer": "yes"}',
        b'{"answer": "yes", "key": null}',
        b'{"answer": "yes", "key": "guessed"}',
        b'{"answer": "yes", "key": "' + b"0" * 70_000 + b'"}',
    ],
)
async def test_an_answer_that_does_not_have_the_key_is_none(asked: Asked, browser: Browser, content: bytes) -> None:
    (path,) = files(browser)
    path.with_suffix(".answer").write_bytes(content)
    assert await asked.look() is None
    (each,) = waiting.questions()
    waiting.answer(each, is_yes=False)
    reply = await asked.look()
    assert reply is not None
    assert reply.answer is Answer.NO


@pytest.mark.parametrize("kind", ["link", "pipe", "directory"])
async def test_an_answer_that_is_no_file_of_its_own_is_none(
    asked: Asked, browser: Browser, kind: str, tmp_path: Path
) -> None:
    (path,) = files(browser)
    key = json.loads(path.read_text())["key"]
    target, planted = tmp_path / "elsewhere", path.with_suffix(".answer")
    target.write_text(json.dumps({"key": key, "answer": "yes"}))
    if kind == "link":
        planted.symlink_to(target)
    elif kind == "pipe":
        os.mkfifo(planted)
    else:
        planted.mkdir()
    assert await asked.look() is None


@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="only root can give files to another user")
async def test_what_another_user_planted_is_not_believed(asked: Asked, browser: Browser) -> None:
    (path,) = files(browser)
    key = json.loads(path.read_text())["key"]
    planted = path.with_suffix(".answer")
    planted.write_text(json.dumps({"key": key, "answer": "yes"}))
    os.chown(planted, 12345, 12345)
    assert await asked.look() is None
    os.chown(path, 12345, 12345)
    assert waiting.questions() == []
    os.chown(browser.questions, 12345, 12345)
    assert waiting.private_directory([browser.questions]) is None


async def test_a_directory_that_others_can_use_is_not_used(browser: Browser, tmp_path: Path) -> None:
    shared, own = tmp_path / "shared", tmp_path / "own"
    shared.mkdir()
    shared.chmod(0o777)
    linked = tmp_path / "linked"
    linked.symlink_to(tmp_path)
    assert waiting.private_directory([shared, linked, own]) == own


def test_a_question_of_a_killed_server_is_not_shown_and_removed(browser: Browser) -> None:
    script = (
        "import anyio, sys\n"
        "from deeporigin_mcp.tools.approvals import waiting\n"
        "from tests.tools.approvals.test_waiting import QUESTION\n"
        "async def sleep(seconds):\n"
        "    print('waits', flush=True)\n"
        "    sys.stdin.read()\n"
        "anyio.run(waiting.answered, QUESTION, sleep)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as popen:
        assert popen.stdout is not None
        assert popen.stdout.readline() == "waits\n"
        assert len(waiting.questions()) == 1
        popen.kill()
        popen.wait()
    (path,) = files(browser)
    path.with_suffix(".answer").write_text("{}")
    assert waiting.questions() == []
    assert not files(browser)


@pytest.mark.parametrize("broken", ["{", "[]", '{"process": 1, "at": 1.0}', '{"process": "a 1 2", "at": 1.0}', "null"])
async def test_a_broken_file_is_passed_over(asked: Asked, browser: Browser, broken: str) -> None:
    (browser.questions / "broken.question").write_text(broken)
    assert len(waiting.questions()) == 1


async def test_nothing_in_a_file_moves_the_cursor_of_a_terminal(asked: Asked, browser: Browser) -> None:
    (path,) = files(browser)
    content = json.loads(path.read_text())
    content["question"]["title"] = "\x1b[2J\r\nfree\u202e" + "x" * 10_000
    path.write_text(json.dumps(content))
    (each,) = waiting.questions()
    assert each.question.title.isprintable()
    assert len(each.question.title) <= waiting.TEXT_CHARACTERS


async def test_without_a_folder_of_this_user_nobody_is_asked(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "question_directories", tuple)
    reply = await waiting.answered(QUESTION, anyio.sleep)
    assert reply.answer is Answer.NOBODY
    assert waiting.questions() == []

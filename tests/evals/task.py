"""What a task is: words, a state of the platform, a reference solution, and who judges the outcome."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from deeporigin_mcp.simulator import Platform
from tests.evals.solver import Solver


@dataclass(frozen=True)
class Answer:
    """What a solver says at the end: one JSON object. A field of the wrong kind reads as a missing one."""

    given: Mapping[str, Any]

    @classmethod
    def read(cls, said: str) -> Answer:
        """The last JSON object in a text; an empty one if there is none."""
        last: dict[str, Any] = {}
        place = 0
        while (start := said.find("{", place)) >= 0:
            try:
                value, place = json.JSONDecoder().raw_decode(said, start)
            except ValueError:
                place = start + 1
            else:
                last = value if isinstance(value, dict) else last
        return cls(last)

    def text(self, name: str) -> str:
        value = self.given.get(name)
        return value if isinstance(value, str) else ""

    def truth(self, name: str) -> bool | None:
        value = self.given.get(name)
        return value if isinstance(value, bool) else None

    def number(self, name: str) -> float | None:
        return _number(self.given.get(name))

    def numbers(self, name: str) -> dict[str, float]:
        value = self.given.get(name)
        rows = value.items() if isinstance(value, dict) else ()
        return {str(key): number for key, entry in rows if (number := _number(entry)) is not None}

    def entries(self, name: str) -> list[Any]:
        value = self.given.get(name)
        return value if isinstance(value, list) else []

    def texts(self, name: str) -> list[str]:
        return [entry for entry in self.entries(name) if isinstance(entry, str)]

    def says(self, name: str, *words: str) -> bool:
        """Whether the text of a field holds one of the words."""
        return any(word.lower() in self.text(name).lower() for word in words)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


Judge = Callable[[Answer], Iterable[str]]
"""What is wrong with the platform as it is now and with an answer, one sentence each; nothing if it is solved."""


@dataclass(frozen=True)
class Mistake:
    """A solution that has to be rejected: the tempting wrong way, played through the same client.

    Attributes:
        name: what the solver does wrong.
        act: plays it; the answer it gives.
    """

    name: str
    act: Callable[[Solver], Awaitable[dict[str, Any]]]


@dataclass(frozen=True)
class Task:
    """One thing that a person asks for.

    Attributes:
        id: kebab-case.
        prompt: what a chemist would type.
        answer_form: the JSON object that the answer ends with, an example of it in words.
        arrange: brings a fresh platform into the task's state, and gives the judge who knows the truth about it.
        reference: solves it with nothing but what the answers say; its answer.
        mistakes: what the judge must reject.
        environment: variables of the server beside address and credentials.
        person: who is asked before money is spent, if the client can ask.
        questions: how many questions that person answers in the reference.
        files: what is in the user's folder, by name.
        on_disk: what is wrong with the user's folder at the end, one sentence each.
        creates: most executions that a right solution creates, imports among them.
        starts: most that it starts.
        cancels: most that it cancels.
    """

    id: str
    prompt: str
    answer_form: str
    arrange: Callable[[Platform], Judge]
    reference: Callable[[Solver], Awaitable[dict[str, Any]]]
    mistakes: tuple[Mistake, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    person: Literal["yes", "no", "absent"] = "absent"
    questions: int = 1
    files: Mapping[str, str] = field(default_factory=dict)
    on_disk: Callable[[Path], Iterable[str]] = lambda _: ()
    creates: int = 0
    starts: int = 0
    cancels: int = 0

    @property
    def whole_prompt(self) -> str:
        """The words for a real agent."""
        return f"{self.prompt}\n\nEnd your answer with one JSON object of this form: {self.answer_form}"

    def place_files(self, folder: Path) -> None:
        """Put the user's files into their folder."""
        for name, content in self.files.items():
            (folder / name).write_text(content, encoding="utf-8")

    def problems(self, platform: Platform, judge: Judge, answer: Answer, folder: Path) -> list[str]:
        """Why this outcome is no solution; empty if it is one."""
        return [*self._excesses(platform), *judge(answer), *self.on_disk(folder)]

    def _excesses(self, platform: Platform) -> Iterator[str]:
        """Whatever a task is about: nothing beyond it may happen."""
        for what, done, most in (
            ("created", platform.creates, self.creates),
            ("started", platform.confirms, self.starts),
            ("cancelled", platform.cancels, self.cancels),
        ):
            if len(done) > most:
                yield f"{len(done)} executions were {what}, at most {most} may be: {', '.join(done)}"

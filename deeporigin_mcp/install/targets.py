"""The configuration files of a client: reading, editing and writing them, and when they are left as they are."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deeporigin_mcp.errors import DeepOriginError, SettingsError
from deeporigin_mcp.install import jsonc, toml
from deeporigin_mcp.install.clients import Client, Machine, Scope
from deeporigin_mcp.install.documents import MISSING, Editor, NotEditableError, Step, SyntaxAtError, at, without
from deeporigin_mcp.install.entries import INPUTS, Entry, Piece, input_path
from deeporigin_mcp.install.files import PRIVATE, File, UnusableFileError

EDITORS: Mapping[str, Editor] = {"jsonc": jsonc, "toml": toml}


class RefusedError(DeepOriginError):
    """The client's configuration was left as it is; `next_step` says what to do."""


@dataclass(frozen=True)
class Target:
    """A configuration file of a client, as it is now."""

    client: Client
    scope: Scope
    file: File
    shown: str
    name: str
    keys: tuple[str, ...]
    data: Any

    @property
    def editor(self) -> Editor:
        return EDITORS[self.client.language]

    @property
    def path(self) -> tuple[Step, ...]:
        return (*self.keys, self.name)

    @property
    def entry(self) -> Any:
        return at(self.data, self.path)


def targets_of(here: Machine, client: Client, scope: Scope | None, name: str) -> list[Target]:
    """The configuration files of a client, as they are now.

    Raises:
        SettingsError: `invalid_scope`.
        RefusedError: a file cannot be read or parsed.
    """
    scopes = client.scopes()
    if scope is not None and scope not in scopes:
        raise SettingsError(
            f"Invalid --scope {scope!r} for {client.title}. Valid: {', '.join(scopes)}.", code="invalid_scope"
        )
    return [_target(here, client, scope or scopes[0], path, name) for path in client.paths(here, scope or scopes[0])]


def _target(here: Machine, client: Client, scope: Scope, path: Path, name: str) -> Target:
    shown = here.shown(path)
    try:
        file = File.read(path)
        data = EDITORS[client.language].read(file.text())
    except UnusableFileError as error:
        raise _refused(shown, error) from None
    except SyntaxAtError as error:
        raise RefusedError(
            f"{shown} cannot be parsed: {error}. Nothing was changed.",
            next_step="Repair the file first.",
            code="syntax_error",
        ) from None
    return Target(client, scope, file, shown, name, client.keys(here, scope), data)


def all_shown(targets: Iterable[Target]) -> str:
    """Their paths as people read them."""
    return " and ".join(target.shown for target in targets)


# Edited texts


def missing_pieces(target: Target, entry: Entry, *, force: bool) -> list[Piece]:
    """The pieces that a file does not have yet.

    Raises:
        RefusedError: without `force`, that it has others in their place.
    """
    missing = []
    for piece in entry.pieces:
        present = at(target.data, piece.path)
        if present is not MISSING and present != piece.value and not force:
            raise _conflict(target, piece, present)
        if present is MISSING or present != piece.value:
            missing.append(piece)
    return missing


def with_pieces(target: Target, pieces: Sequence[Piece]) -> str:
    """The file with these pieces.

    Raises:
        RefusedError: `not_editable`.
    """
    try:
        text = _put(target.editor, target.file.text(), pieces)
    except NotEditableError as error:
        raise _not_editable(target, str(error)) from None
    _check(target, text, pieces, are_there=True)
    return text


def without_entry(target: Target) -> bytes | None:
    """The file without the entry; None if nothing else is in it.

    If the file is still what an install made of its backup, the backup's bytes are restored.

    Raises:
        RefusedError: `not_editable`.
    """
    editor, text = target.editor, target.file.text()
    inputs = _inputs(target, text)
    pieces = [*inputs, Piece(target.path, target.entry)]
    for backup in target.file.backups():
        earlier = File(target.file.path, backup)
        try:
            held = editor.read(earlier.text())
            is_origin = at(held, target.path) is MISSING
            if is_origin and _put(editor, earlier.text(), _lacking(held, pieces)).encode() == target.file.content:
                return backup
        except (UnusableFileError, SyntaxAtError, NotEditableError):
            continue
    if _put(editor, "", pieces) == text:
        return None
    try:
        for piece in reversed(pieces):
            text = editor.remove(text, piece.path)
    except NotEditableError:
        text = target.file.text()
    _check(target, text, pieces, are_there=False)
    return text.encode()


def _lacking(data: Any, pieces: Sequence[Piece]) -> list[Piece]:
    return [piece for piece in pieces if at(data, piece.path) is MISSING]


def _inputs(target: Target, text: str) -> list[Piece]:
    """The inputs of VS Code that only this entry uses."""
    found = []
    for value in INPUTS.values():
        piece = Piece(input_path(value), value)
        reference = f"${{input:{value['id']}}}"
        uses = text.count(reference)
        if uses and uses == json.dumps(target.entry).count(reference) and at(target.data, piece.path) == value:
            found.append(piece)
    return found


def _put(editor: Editor, text: str, pieces: Sequence[Piece]) -> str:
    for piece in pieces:
        text = editor.put(text, piece.path, piece.value)
    return text


def _check(target: Target, text: str, pieces: Sequence[Piece], *, are_there: bool) -> None:
    """Check that an edited text differs from the file in these pieces only."""
    paths = [piece.path for piece in pieces]
    try:
        after = target.editor.read(text)
        found = [at(after, piece.path) for piece in pieces]
        right = found == [piece.value if are_there else MISSING for piece in pieces]
        # Compared as texts: a TOML file may hold NaN, which equals nothing.
        right = right and repr(without(after, paths)) == repr(without(target.data, paths))
    except SyntaxAtError:
        right = False
    if not right:
        raise _not_editable(target, "its layout is unusual")


# Writing


def check_writable(targets: Iterable[Target]) -> None:
    """Check that all of them can be written.

    Raises:
        RefusedError: a file or its folder cannot be written.
    """
    for target in targets:
        try:
            target.file.check_writable()
        except UnusableFileError as error:
            raise _refused(target.shown, error) from None


def exchange_all(
    contents: Sequence[tuple[Target, bytes | None]], *, new_mode: int = PRIVATE
) -> list[tuple[Target, Path | None]]:
    """Write files, or delete those whose content is None; each with the path of its backup.

    Raises:
        RefusedError: says which of them were changed before one failed.
    """
    written: list[tuple[Target, Path | None]] = []
    for target, content in contents:
        try:
            written.append((target, _exchange(target, content, new_mode=new_mode)))
        except UnusableFileError as error:
            done = f"Only {all_shown(each for each, _ in written)} was changed." if written else "Nothing was changed."
            raise _refused(target.shown, error, done) from None
    return written


def _exchange(target: Target, content: bytes | None, *, new_mode: int) -> Path | None:
    """Write a file, or delete it if `content` is None; the path of its backup, which stays only if this succeeds."""
    backup = None
    try:
        backup = target.file.back_up()
        if content is None:
            target.file.delete()
        else:
            target.file.replace(content, new_mode=new_mode)
    except UnusableFileError:
        if backup is not None:
            backup.unlink()
        raise
    return backup


# Refusing


def _conflict(target: Target, piece: Piece, present: Any) -> RefusedError:
    if piece.path != target.path:
        return RefusedError(
            f"{target.shown} has another input {piece.value['id']!r}.",
            next_step="Replace it with --force.",
            code="input_conflict",
        )
    differing = "it is not an object"
    if isinstance(present, dict):
        keys = sorted(key for key in {*present, *piece.value} if present.get(key) != piece.value.get(key))
        differing = f"it differs in {', '.join(keys)}"
    return RefusedError(
        f"{target.shown} has another entry {target.name!r} ({differing}).",
        next_step="Replace it with --force, or add this one beside it with --name.",
        code="entry_conflict",
    )


def _not_editable(target: Target, why: str) -> RefusedError:
    return RefusedError(
        f"{target.shown} cannot be edited: {why}. Nothing was changed.",
        next_step="Edit it by hand.",
        code="not_editable",
    )


def _refused(shown: str, error: UnusableFileError, done: str = "Nothing was changed.") -> RefusedError:
    return RefusedError(f"{shown} {error}. {done}", next_step=error.next_step, code=error.code)

"""`deeporigin-mcp install` and `uninstall`: one entry in a client's configuration, and nothing else changed."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deeporigin_mcp.errors import SettingsError
from deeporigin_mcp.install import jsonc, toml
from deeporigin_mcp.install.clients import Client, Machine, Scope, System, client_named
from deeporigin_mcp.install.documents import MISSING, Editor, NotEditableError, Step, SyntaxAtError, at, without
from deeporigin_mcp.install.entries import (
    INPUTS,
    SECRET,
    SETTABLE,
    Piece,
    Request,
    entry_for,
    input_path,
    is_ours,
    masked,
)
from deeporigin_mcp.install.files import PRIVATE, SHARED, File, UnusableFileError
from deeporigin_mcp.logs import say

EXIT_OK, EXIT_REFUSED, EXIT_USAGE = 0, 1, 2
EDITORS: Mapping[str, Editor] = {"jsonc": jsonc, "toml": toml}
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class RefusedError(Exception):
    """Nothing was changed; the message says why, and what to do."""


@dataclass(frozen=True)
class Target:
    """A file of a client, as it is now."""

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


def machine(home: Path, environ: Mapping[str, str]) -> Machine:
    """This machine, for the user whose home and variables are given."""
    system: System = "win32" if sys.platform == "win32" else "darwin" if sys.platform == "darwin" else "linux"
    return Machine(system, home, Path.cwd(), environ)


def request_of(name: str, command: str, env: Sequence[str], *, with_token: bool) -> Request:
    """What was asked for, checked.

    Raises:
        SettingsError: a name or a variable that cannot be used.
    """
    if not _NAME.fullmatch(name):
        raise SettingsError(f"--name is {name[:80]!r}. Valid: letters, digits, - and _, such as deeporigin.")
    values = {}
    for item in env:
        variable, equals, value = item.partition("=")
        if variable in SECRET:
            raise SettingsError(f"--env takes no secret such as {variable}: see --with-token in the help.")
        if variable not in SETTABLE or not equals or not value.isprintable():
            raise SettingsError(f"--env is {item[:80]!r}. Valid: NAME=VALUE with one of {', '.join(SETTABLE)}.")
        values[variable] = value
    return Request(name, command, values, with_token=with_token)


def install(
    here: Machine, client_name: str, scope: Scope | None, request: Request, *, force: bool, dry_run: bool
) -> int:
    """Write the entry of a client and say what was done; the exit code."""
    try:
        target = _target(here, client_name, scope, request.name)
        client = target.client
        if target.scope != "project" and not force and not client.is_present(here):
            raise RefusedError(
                f"{client.title} is not set up for this user: there is no {here.shown(client.home_folder(here))}. "
                "Start it once, or write the file anyway with --force."
            )
        entry = entry_for(client, target.scope, here, request)
        body = entry.pieces[-1].value
        missing = []
        for piece in entry.pieces:
            present = at(target.data, piece.path)
            if present is not MISSING and present != piece.value and not force:
                raise RefusedError(_conflict(target, piece, present))
            if present is MISSING or present != piece.value:
                missing.append(piece)
        if not missing:
            say(f"Nothing to do: {target.shown} has this entry already.")
            return EXIT_OK
        text = _with(target, missing)
        target.file.check_writable()
        mode = SHARED if target.scope == "project" else PRIVATE
        backup = None if dry_run else _exchange(target.file, target.file.encoded(text), new_mode=mode)
    except SettingsError as error:
        return _refuse(str(error), EXIT_USAGE)
    except RefusedError as error:
        return _refuse(str(error), EXIT_REFUSED)
    except UnusableFileError as error:
        return _refuse(f"{target.shown} {error}. Nothing was changed.", EXIT_REFUSED)
    heading = "Would write" if dry_run else "Wrote"
    say(f"{heading} the entry {request.name!r} for {client.title} into {target.shown}:")
    say(json.dumps(masked(body), indent=2, ensure_ascii=False))
    if backup:
        say(f"What was there before is beside it, in {backup.name}.")
    for note in entry.notes:
        say(note)
    say("Nothing was changed: this was a dry run." if dry_run else client.next_step)
    return EXIT_OK


def uninstall(here: Machine, client_name: str, scope: Scope | None, name: str, *, force: bool, dry_run: bool) -> int:
    """Take the entry of a client out and say what was done; the exit code."""
    try:
        request_of(name, "", (), with_token=False)
        target = _target(here, client_name, scope, name)
        entry = target.entry
        if entry is MISSING:
            say(f"Nothing to do: {target.shown} has no entry {name!r}.")
            return EXIT_OK
        if not is_ours(entry) and not force:
            raise RefusedError(
                f"The entry {name!r} in {target.shown} does not start deeporigin-mcp. Take it out with --force, or "
                "name another one with --name."
            )
        content = _without(target)
        target.file.check_writable()
        done = "removed, for it held nothing else" if content is None else "written without it"
        if dry_run:
            say(f"{target.shown} would be {done}. Nothing was changed: this was a dry run.")
            return EXIT_OK
        backup = _exchange(target.file, content)
    except SettingsError as error:
        return _refuse(str(error), EXIT_USAGE)
    except RefusedError as error:
        return _refuse(str(error), EXIT_REFUSED)
    except UnusableFileError as error:
        return _refuse(f"{target.shown} {error}. Nothing was changed.", EXIT_REFUSED)
    say(f"Took the entry {name!r} of {target.client.title} out: {target.shown} was {done}.")
    if backup:
        say(f"What was there before is beside it, in {backup.name}.")
        if masked(entry) != entry:
            say("ATTENTION: that backup still holds the token. Delete it when you no longer need it.")
    say(f"{target.client.title} goes on using the server until it is started again.")
    return EXIT_OK


def _refuse(message: str, code: int) -> int:
    sys.stderr.write(f"deeporigin-mcp: {message}\n")
    return code


def _target(here: Machine, client_name: str, scope: Scope | None, name: str) -> Target:
    client = client_named(client_name)
    scopes = client.scopes()
    if scope is not None and scope not in scopes:
        raise SettingsError(f"{client.title} has no scope {scope!r}. Valid: {', '.join(scopes)}.")
    scope = scope or scopes[0]
    path = client.path(here, scope)
    shown = here.shown(path)
    try:
        file = File.read(path)
        data = EDITORS[client.language].read(file.text())
    except UnusableFileError as error:
        raise RefusedError(f"{shown} {error}. Nothing was changed.") from None
    except SyntaxAtError as error:
        raise RefusedError(f"{shown} cannot be parsed: {error}. Nothing was changed; repair it first.") from None
    return Target(client, scope, file, shown, name, client.keys(here, scope), data)


def _with(target: Target, pieces: Sequence[Piece]) -> str:
    try:
        text = _put(target.editor, target.file.text(), pieces)
    except NotEditableError as error:
        raise RefusedError(f"{target.shown} cannot be added to: {error}. Nothing was changed.") from None
    _check(target, text, pieces, are_there=True)
    return text


def _check(target: Target, text: str, pieces: Sequence[Piece], *, are_there: bool) -> None:
    """See that an edited text says of everything else what the file says."""
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
        raise RefusedError(f"{target.shown} has a form that cannot be edited. Nothing was changed; edit it by hand.")


def _put(editor: Editor, text: str, pieces: Sequence[Piece]) -> str:
    for piece in pieces:
        text = editor.put(text, piece.path, piece.value)
    return text


def _exchange(file: File, content: bytes | None, *, new_mode: int = PRIVATE) -> Path | None:
    """Write a file, or delete it; the path of its backup, which stays only if this succeeds."""
    backup = file.back_up()
    try:
        if content is None:
            file.delete()
        else:
            file.replace(content, new_mode=new_mode)
    except UnusableFileError:
        if backup is not None:
            backup.unlink()
        raise
    return backup


def _without(target: Target) -> bytes | None:
    """The file without the entry; None if there is nothing left of it.

    Where an install made the file what it is, its backup is the file as it was, to the byte.
    """
    editor, text = target.editor, target.file.text()
    inputs = _inputs(target, text)
    pieces = [*inputs, Piece(target.path, target.entry)]
    for backup in target.file.backups():
        earlier = File(target.file.path, backup)
        try:
            held = editor.read(earlier.text())
            is_origin = at(held, target.path) is MISSING
            if (
                is_origin
                and earlier.encoded(_put(editor, earlier.text(), _lacking(held, pieces))) == target.file.content
            ):
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
    return target.file.encoded(text)


def _lacking(data: Any, pieces: Sequence[Piece]) -> list[Piece]:
    return [piece for piece in pieces if at(data, piece.path) is MISSING]


def _inputs(target: Target, text: str) -> list[Piece]:
    """What VS Code is to ask for, where nobody but this entry uses it."""
    found = []
    for value in INPUTS.values():
        piece = Piece(input_path(value), value)
        reference = f"${{input:{value['id']}}}"
        uses = text.count(reference)
        if uses and uses == json.dumps(target.entry).count(reference) and at(target.data, piece.path) == value:
            found.append(piece)
    return found


def _conflict(target: Target, piece: Piece, present: Any) -> str:
    if piece.path != target.path:
        return f"{target.shown} asks for {piece.value['id']!r} in another way. Replace that with --force."
    differing = "it is no entry"
    if isinstance(present, dict):
        keys = sorted(key for key in {*present, *piece.value} if present.get(key) != piece.value.get(key))
        differing = f"it differs in {', '.join(keys)}"
    return (
        f"{target.shown} has another entry {target.name!r} ({differing}). Replace it with --force, or add this one "
        "beside it with --name."
    )

"""`deeporigin-mcp install` and `uninstall`: one entry in a client's configuration, and nothing else changed."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deeporigin_mcp.errors import SettingsError
from deeporigin_mcp.install import jsonc, toml
from deeporigin_mcp.install.clients import Client, Machine, Scope, System, client_named
from deeporigin_mcp.install.documents import MISSING, Editor, NotEditableError, Step, SyntaxAtError, at, without
from deeporigin_mcp.install.entries import (
    INPUTS,
    NETWORK,
    SECRET,
    SETTABLE,
    Entry,
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
        known = (*SETTABLE, *NETWORK)
        if variable not in known or not equals or not value.isprintable():
            shown = f"{variable}=…" if variable in NETWORK else item[:80]
            valid = ", ".join(name for name in known if name.isupper())
            raise SettingsError(f"--env is {shown!r}. Valid: NAME=VALUE with one of {valid}.")
        values[variable] = value
    return Request(name, command, values, with_token=with_token)


def install(
    here: Machine, client_name: str, scope: Scope | None, request: Request, *, force: bool, dry_run: bool
) -> int:
    """Write the entry of a client and say what was done; the exit code."""
    written: list[tuple[Target, Path | None]] = []
    client = client_named(client_name)
    try:
        targets = _targets(here, client, scope, request.name)
        is_absent = targets[0].scope != "project" and not force and not client.is_present(here)
        absent = f"{client.title} is not set up for this user: there is no {here.shown(client.home_folder(here))}."
        if is_absent and not dry_run:
            raise RefusedError(f"{absent} Start it once, or write the file anyway with --force.")
        entry = entry_for(client, targets[0].scope, here, request)
        planned = [(target, missing) for target in targets if (missing := _missing(target, entry, force=force))]
        if not planned:
            say(f"Nothing to do: {_all_shown(targets)} {'has' if len(targets) == 1 else 'have'} this entry already.")
            return EXIT_OK
        contents = [(target, target.file.encoded(_with(target, missing))) for target, missing in planned]
        _check_writable(targets)
        mode = SHARED if targets[0].scope == "project" else PRIVATE
        for target, content in contents:
            written.append((target, None if dry_run else _exchange(target, content, new_mode=mode)))
    except SettingsError as error:
        return _refuse(str(error), EXIT_USAGE)
    except RefusedError as error:
        return _refuse(f"{error}{_done_before(written)}", EXIT_REFUSED)
    heading = "Would write" if dry_run else "Wrote"
    say(f"{heading} the entry {request.name!r} for {client.title} into {_all_shown(target for target, _ in written)}:")
    say(json.dumps(masked(entry.pieces[-1].value), indent=2, ensure_ascii=False))
    for target, backup in written:
        if backup:
            say(f"What was there before is beside {_it(written, target)}, in {backup.name}.")
    for note in entry.notes:
        say(note)
    if is_absent:
        say(f"{absent} It has to be started once before, or --force be given.")
    say("Nothing was changed: this was a dry run." if dry_run else client.next_step)
    return EXIT_OK


def _check_writable(targets: Iterable[Target]) -> None:
    for target in targets:
        try:
            target.file.check_writable()
        except UnusableFileError as error:
            raise _unusable(target, error) from None


def _missing(target: Target, entry: Entry, *, force: bool) -> list[Piece]:
    """The pieces that a file does not have yet."""
    missing = []
    for piece in entry.pieces:
        present = at(target.data, piece.path)
        if present is not MISSING and present != piece.value and not force:
            raise RefusedError(_conflict(target, piece, present))
        if present is MISSING or present != piece.value:
            missing.append(piece)
    return missing


def _all_shown(targets: Iterable[Target]) -> str:
    return " and ".join(target.shown for target in targets)


def _it(written: Sequence[Any], target: Target) -> str:
    return "it" if len(written) == 1 else target.shown


def _done_before(written: Sequence[tuple[Target, Path | None]]) -> str:
    return f" But {_all_shown(target for target, _ in written)} had been written before." if written else ""


def uninstall(here: Machine, client_name: str, scope: Scope | None, name: str, *, force: bool, dry_run: bool) -> int:
    """Take the entry of a client out and say what was done; the exit code."""
    written: list[tuple[Target, Path | None]] = []
    client = client_named(client_name)
    try:
        request_of(name, "", (), with_token=False)
        targets = _targets(here, client, scope, name)
        holding = [target for target in targets if target.entry is not MISSING]
        if not holding:
            say(f"Nothing to do: {_all_shown(targets)} {'has' if len(targets) == 1 else 'have'} no entry {name!r}.")
            return EXIT_OK
        for target in holding:
            if not is_ours(target.entry) and not force:
                raise RefusedError(
                    f"The entry {name!r} in {target.shown} does not start deeporigin-mcp. Take it out with --force, or "
                    "name another one with --name."
                )
        contents = [(target, _without(target)) for target in holding]
        _check_writable(holding)
        if dry_run:
            for target, content in contents:
                say(f"{target.shown} would be {_outcome(content)}. Nothing was changed: this was a dry run.")
            return EXIT_OK
        for target, content in contents:
            written.append((target, _exchange(target, content)))
    except SettingsError as error:
        return _refuse(str(error), EXIT_USAGE)
    except RefusedError as error:
        return _refuse(f"{error}{_done_before(written)}", EXIT_REFUSED)
    for (target, backup), (_, content) in zip(written, contents, strict=True):
        say(f"Took the entry {name!r} of {client.title} out: {target.shown} was {_outcome(content)}.")
        if backup:
            say(f"What was there before is beside it, in {backup.name}.")
            if masked(target.entry) != target.entry:
                what = "the token" if masked(target.entry)["env"].get("DO_AUTH_TOKEN") == "…" else "a password"
                say(f"ATTENTION: that backup still holds {what}. Delete it when you no longer need it.")
    say(f"{client.title} goes on using the server until it is started again.")
    return EXIT_OK


def _outcome(content: bytes | None) -> str:
    return "removed, for it held nothing else" if content is None else "written without it"


def _refuse(message: str, code: int) -> int:
    sys.stderr.write(f"deeporigin-mcp: {message}\n")
    return code


def _targets(here: Machine, client: Client, scope: Scope | None, name: str) -> list[Target]:
    """The files of a client, as they are now."""
    scopes = client.scopes()
    if scope is not None and scope not in scopes:
        raise SettingsError(f"{client.title} has no scope {scope!r}. Valid: {', '.join(scopes)}.")
    return [_target(here, client, scope or scopes[0], path, name) for path in client.paths(here, scope or scopes[0])]


def _target(here: Machine, client: Client, scope: Scope, path: Path, name: str) -> Target:
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


def _exchange(target: Target, content: bytes | None, *, new_mode: int = PRIVATE) -> Path | None:
    """Write a file, or delete it; the path of its backup, which stays only if this succeeds."""
    backup = None
    try:
        backup = target.file.back_up()
        if content is None:
            target.file.delete()
        else:
            target.file.replace(content, new_mode=new_mode)
    except UnusableFileError as error:
        if backup is not None:
            backup.unlink()
        raise _unusable(target, error) from None
    return backup


def _unusable(target: Target, error: UnusableFileError) -> RefusedError:
    return RefusedError(f"{target.shown} {error}. Nothing was changed.")


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

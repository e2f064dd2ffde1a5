"""`deeporigin-mcp install` and `uninstall`: write or remove one entry of a client's configuration."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deeporigin_mcp.errors import DeepOriginError, SettingsError
from deeporigin_mcp.install import jsonc, toml
from deeporigin_mcp.install.clients import Client, Machine, Scope, System, client_named
from deeporigin_mcp.install.documents import MISSING, Editor, NotEditableError, Step, SyntaxAtError, at, without
from deeporigin_mcp.install.entries import (
    FILES,
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
from deeporigin_mcp.settings.reading import expanded

EDITORS: Mapping[str, Editor] = {"jsonc": jsonc, "toml": toml}
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


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


def this_machine() -> Machine:
    """This machine, for the current user.

    Raises:
        SettingsError: `no_home`, if there is no home directory.
    """
    system: System = "win32" if sys.platform == "win32" else "darwin" if sys.platform == "darwin" else "linux"
    try:
        return Machine(system, Path.home(), Path.cwd(), os.environ)
    except RuntimeError:
        raise SettingsError("No home directory is known. Set HOME.", code="no_home") from None


def request_of(name: str, command: str, env: Sequence[str], *, with_token: bool, files: Sequence[str] = ()) -> Request:
    """The request of a command line, checked.

    Raises:
        SettingsError: `invalid_name`, `secret_in_env`, `invalid_env` or `invalid_files`.
    """
    _check_name(name)
    values = {}
    for item in env:
        variable, equals, value = item.partition("=")
        if variable in SECRET:
            raise SettingsError(
                f"{variable} is secret and cannot be given with --env. Use --with-token to write your token.",
                code="secret_in_env",
            )
        known = (*SETTABLE, *NETWORK)
        if variable not in known or not equals or not value.isprintable():
            shown = f"{variable}=…" if variable in NETWORK else item[:80]
            valid = ", ".join(name for name in known if name.isupper())
            raise SettingsError(f"Invalid --env {shown!r}. Valid: NAME=VALUE with one of {valid}.", code="invalid_env")
        values[variable] = value
    if files:
        values[FILES] = ",".join(map(_folder, files))
    return Request(name, command, values, with_token=with_token)


def _folder(given: str) -> str:
    """A folder as a server reads it, wherever it is started."""
    folder = str(expanded(given, "--files").absolute())
    if not given.strip() or "," in folder or not folder.isprintable() or not Path(folder).is_dir():
        raise SettingsError(
            f"Invalid --files {given[:200]!r}. Valid: a folder that exists, without a comma in its path.",
            code="invalid_files",
        )
    return folder


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise SettingsError(
            f"Invalid --name {name[:80]!r}. Valid: letters, digits, - and _, such as deeporigin.", code="invalid_name"
        )


def install(
    here: Machine, client_name: str, scope: Scope | None, request: Request, *, force: bool, dry_run: bool
) -> None:
    """Write the entry of a client and print what was done.

    Raises:
        SettingsError: the request cannot be carried out for this client.
        RefusedError: the client's configuration cannot or should not be changed.
    """
    client = client_named(client_name)
    targets = _targets(here, client, scope, request.name)
    is_absent = targets[0].scope != "project" and not force and not client.is_present(here)
    absent = f"{client.title} is not set up for this user: there is no {here.shown(client.home_folder(here))}."
    start_once = "Start it once, or write the file anyway with --force."
    if is_absent and not dry_run:
        raise RefusedError(absent, next_step=start_once, code="client_absent")
    entry = entry_for(client, targets[0].scope, here, request)
    planned = [(target, missing) for target in targets if (missing := _missing(target, entry, force=force))]
    if not planned:
        say(f"Nothing to do: {_all_shown(targets)} {'has' if len(targets) == 1 else 'have'} this entry already.")
        return
    contents = [(target, _with(target, missing).encode()) for target, missing in planned]
    _check_writable(targets)
    mode = SHARED if targets[0].scope == "project" else PRIVATE
    written = [(target, None) for target, _ in contents] if dry_run else _exchange_all(contents, new_mode=mode)
    heading = "Would write" if dry_run else "Wrote"
    say(f"{heading} the entry {request.name!r} for {client.title} into {_all_shown(target for target, _ in written)}:")
    say(json.dumps(masked(entry.pieces[-1].value), indent=2, ensure_ascii=False))
    for target, backup in written:
        if backup:
            say(f"Backup of {target.shown}: {backup.name}.")
    for note in entry.notes:
        say(note)
    if is_absent:
        say(f"{absent} {start_once}")
    say("Dry run: nothing was changed." if dry_run else client.next_step)


def _check_writable(targets: Iterable[Target]) -> None:
    for target in targets:
        try:
            target.file.check_writable()
        except UnusableFileError as error:
            raise _refused(target.shown, error) from None


def _missing(target: Target, entry: Entry, *, force: bool) -> list[Piece]:
    """The pieces that a file does not have yet."""
    missing = []
    for piece in entry.pieces:
        present = at(target.data, piece.path)
        if present is not MISSING and present != piece.value and not force:
            raise _conflict(target, piece, present)
        if present is MISSING or present != piece.value:
            missing.append(piece)
    return missing


def _all_shown(targets: Iterable[Target]) -> str:
    return " and ".join(target.shown for target in targets)


def uninstall(here: Machine, client_name: str, scope: Scope | None, name: str, *, force: bool, dry_run: bool) -> None:
    """Remove the entry of a client and print what was done.

    Raises:
        SettingsError: an invalid name or scope.
        RefusedError: the client's configuration cannot or should not be changed.
    """
    _check_name(name)
    client = client_named(client_name)
    targets = _targets(here, client, scope, name)
    holding = [target for target in targets if target.entry is not MISSING]
    if not holding:
        say(f"Nothing to do: {_all_shown(targets)} {'has' if len(targets) == 1 else 'have'} no entry {name!r}.")
        return
    for target in holding:
        if not is_ours(target.entry) and not force:
            raise RefusedError(
                f"The entry {name!r} in {target.shown} does not start deeporigin-mcp.",
                next_step="Remove it anyway with --force, or name another one with --name.",
                code="foreign_entry",
            )
    contents = [(target, _without(target)) for target in holding]
    _check_writable(holding)
    if dry_run:
        for target, content in contents:
            say(f"{target.shown} would be {_outcome(content)}. Dry run: nothing was changed.")
        return
    for (target, backup), (_, content) in zip(_exchange_all(contents), contents, strict=True):
        say(f"Removed the entry {name!r} of {client.title}: {target.shown} was {_outcome(content)}.")
        if backup:
            say(f"Backup of {target.shown}: {backup.name}.")
            if masked(target.entry) != target.entry:
                what = "the token" if masked(target.entry)["env"].get("DO_AUTH_TOKEN") == "…" else "a password"
                say(f"ATTENTION: that backup still holds {what}. Delete it when you no longer need it.")
    say(f"{client.title} uses the server until it is restarted.")


def _outcome(content: bytes | None) -> str:
    return "deleted, as it held nothing else" if content is None else "written without it"


def _targets(here: Machine, client: Client, scope: Scope | None, name: str) -> list[Target]:
    """The configuration files of a client, as they are now."""
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


def _with(target: Target, pieces: Sequence[Piece]) -> str:
    try:
        text = _put(target.editor, target.file.text(), pieces)
    except NotEditableError as error:
        raise _not_editable(target, str(error)) from None
    _check(target, text, pieces, are_there=True)
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


def _not_editable(target: Target, why: str) -> RefusedError:
    return RefusedError(
        f"{target.shown} cannot be edited: {why}. Nothing was changed.",
        next_step="Edit it by hand.",
        code="not_editable",
    )


def _put(editor: Editor, text: str, pieces: Sequence[Piece]) -> str:
    for piece in pieces:
        text = editor.put(text, piece.path, piece.value)
    return text


def _exchange_all(
    contents: Sequence[tuple[Target, bytes | None]], *, new_mode: int = PRIVATE
) -> list[tuple[Target, Path | None]]:
    """Write or delete files; each with the path of its backup."""
    written: list[tuple[Target, Path | None]] = []
    for target, content in contents:
        try:
            written.append((target, _exchange(target, content, new_mode=new_mode)))
        except UnusableFileError as error:
            done = f"Only {_all_shown(each for each, _ in written)} was changed." if written else "Nothing was changed."
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


def _refused(shown: str, error: UnusableFileError, done: str = "Nothing was changed.") -> RefusedError:
    return RefusedError(f"{shown} {error}. {done}", next_step=error.next_step, code=error.code)


def _without(target: Target) -> bytes | None:
    """The file without the entry; None if nothing else is in it.

    If the file is still what an install made of its backup, the backup's bytes are restored.
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

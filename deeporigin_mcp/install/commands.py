"""`deeporigin-mcp install` and `uninstall`: write or remove one entry of a client's configuration."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from deeporigin_mcp.errors import SettingsError
from deeporigin_mcp.install.clients import Machine, Scope, System, client_named
from deeporigin_mcp.install.documents import MISSING
from deeporigin_mcp.install.entries import (
    FILES,
    NETWORK,
    SECRET,
    SETTABLE,
    Request,
    entry_for,
    is_ours,
    masked,
)
from deeporigin_mcp.install.files import PRIVATE, SHARED
from deeporigin_mcp.install.targets import (
    RefusedError,
    all_shown,
    check_writable,
    exchange_all,
    missing_pieces,
    targets_of,
    with_pieces,
    without_entry,
)
from deeporigin_mcp.logs import say
from deeporigin_mcp.settings.reading import expanded

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


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
    targets = targets_of(here, client, scope, request.name)
    is_absent = targets[0].scope != "project" and not force and not client.is_present(here)
    absent = f"{client.title} is not set up for this user: there is no {here.shown(client.home_folder(here))}."
    start_once = "Start it once, or write the file anyway with --force."
    if is_absent and not dry_run:
        raise RefusedError(absent, next_step=start_once, code="client_absent")
    entry = entry_for(client, targets[0].scope, here, request)
    planned = [(target, missing) for target in targets if (missing := missing_pieces(target, entry, force=force))]
    if not planned:
        say(f"Nothing to do: {all_shown(targets)} {'has' if len(targets) == 1 else 'have'} this entry already.")
        return
    contents = [(target, with_pieces(target, missing).encode()) for target, missing in planned]
    check_writable(targets)
    mode = SHARED if targets[0].scope == "project" else PRIVATE
    written = [(target, None) for target, _ in contents] if dry_run else exchange_all(contents, new_mode=mode)
    heading = "Would write" if dry_run else "Wrote"
    say(f"{heading} the entry {request.name!r} for {client.title} into {all_shown(target for target, _ in written)}:")
    say(json.dumps(masked(entry.pieces[-1].value), indent=2, ensure_ascii=False))
    for target, backup in written:
        if backup:
            say(f"Backup of {target.shown}: {backup.name}.")
    for note in entry.notes:
        say(note)
    if is_absent:
        say(f"{absent} {start_once}")
    say("Dry run: nothing was changed." if dry_run else client.next_step)


def uninstall(here: Machine, client_name: str, scope: Scope | None, name: str, *, force: bool, dry_run: bool) -> None:
    """Remove the entry of a client and print what was done.

    Raises:
        SettingsError: an invalid name or scope.
        RefusedError: the client's configuration cannot or should not be changed.
    """
    _check_name(name)
    client = client_named(client_name)
    targets = targets_of(here, client, scope, name)
    holding = [target for target in targets if target.entry is not MISSING]
    if not holding:
        say(f"Nothing to do: {all_shown(targets)} {'has' if len(targets) == 1 else 'have'} no entry {name!r}.")
        return
    for target in holding:
        if not is_ours(target.entry) and not force:
            raise RefusedError(
                f"The entry {name!r} in {target.shown} does not start deeporigin-mcp.",
                next_step="Remove it anyway with --force, or name another one with --name.",
                code="foreign_entry",
            )
    contents = [(target, without_entry(target)) for target in holding]
    check_writable(holding)
    if dry_run:
        for target, content in contents:
            say(f"{target.shown} would be {_outcome(content)}. Dry run: nothing was changed.")
        return
    for (target, backup), (_, content) in zip(exchange_all(contents), contents, strict=True):
        say(f"Removed the entry {name!r} of {client.title}: {target.shown} was {_outcome(content)}.")
        if backup:
            say(f"Backup of {target.shown}: {backup.name}.")
            if masked(target.entry) != target.entry:
                what = "the token" if masked(target.entry)["env"].get("DO_AUTH_TOKEN") == "…" else "a password"
                say(f"ATTENTION: that backup still holds {what}. Delete it when you no longer need it.")
    say(f"{client.title} uses the server until it is restarted.")


def _outcome(content: bytes | None) -> str:
    return "deleted, as it held nothing else" if content is None else "written without it"

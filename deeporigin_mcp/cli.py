"""The command line. Each command imports what it needs when it runs, so that the server starts quickly."""

from __future__ import annotations

import argparse
import gc
import signal
import sys
from collections.abc import Sequence

from deeporigin_mcp import __version__

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2

SIMULATOR_PORT = 4931
"""The port of DO_ENV=local, for the official client and this server (platform-facts 3.4)."""
CLIENTS = ("claude-desktop", "claude-code", "cursor", "vscode", "codex", "gemini-cli", "windsurf", "zed")
SCOPES = ("user", "project", "local")
SERVER_NAME = "deeporigin"

LONGEST_TIMEOUT_SECONDS = 30 * 24 * 3600

HTTP_HOST, HTTP_PORT = "127.0.0.1", 8321


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit code."""
    options = _parser().parse_args(sys.argv[1:] if arguments is None else arguments)
    command = {
        "serve": _serve,
        "simulator": _simulator,
        "demo": _demo,
        "approve": _approve,
        "view": _view,
        "wait": _wait,
        "doctor": _doctor,
        "install": _install,
        "uninstall": _install,
    }[options.command or "serve"]
    _end_at_signals()
    return command(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="deeporigin-mcp",
        description="MCP server for Deep Origin. Without a command it serves MCP over stdin and stdout.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    server = commands.add_parser("serve", help="serve MCP over stdin and stdout (the default), or over HTTP")
    server.add_argument("--http", action="store_true", help="serve many callers over Streamable HTTP at /mcp")
    over_http = server.add_argument_group("with --http")
    # No defaults here: an option given without --http is refused.
    over_http.add_argument("--host", help=f"address to listen on (default: {HTTP_HOST})")
    over_http.add_argument("--port", type=_port, help=f"default: {HTTP_PORT}; 0: any free one")
    for name, example in (("host", "mcp.example.org"), ("origin", "https://chat.example.org")):
        over_http.add_argument(
            f"--allowed-{name}",
            action="append",
            metavar=name.upper(),
            help=f"accepted {name.title()} header, such as {example}; repeatable (default: this machine's own)",
        )
    over_http.add_argument(
        "--drain-seconds",
        type=_seconds,
        metavar="N",
        help="after a signal to stop, accept requests for N seconds while /readyz fails (default: 0)",
    )
    over_http.add_argument(
        "--keep-alive-seconds",
        type=_seconds,
        metavar="N",
        help="keep an idle connection open for N seconds, longer than the proxy in front does (default: 75)",
    )

    simulator = commands.add_parser(
        "simulator", help="run a Deep Origin platform on this machine, for trying things out (DO_ENV=local finds it)"
    )
    simulator.add_argument("--port", type=_port, default=SIMULATOR_PORT, help="default: %(default)s; 0: any free one")
    simulator.add_argument(
        "--speed", type=_speed, default=60.0, help="simulated seconds per second (default: %(default)g)"
    )
    simulator.add_argument("--seed", type=int, default=0, help="same seed, same ids and outcomes (default: 0)")
    simulator.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="RULE",
        help="make requests fail, such as 'POST */executions status=504 html after=work times=1'; repeatable",
    )

    demo = commands.add_parser(
        "demo", help="watch an MCP client go from a structure to pose files on a simulated platform"
    )
    demo.add_argument("--speed", type=_speed, default=12.0, help="simulated seconds per second (default: %(default)g)")
    demo.add_argument(
        "--folder", metavar="DIR", help="where its files go (default: a new temporary folder, which is kept)"
    )

    approve = commands.add_parser("approve", help="show the runs that wait for your yes on this machine, and ask")
    approve.add_argument("--list", action="store_true", dest="only_list", help="only show them")

    view = commands.add_parser("view", help="write the results of a run, or of two, as one HTML page, and open it")
    view.add_argument("execution_id", metavar="EXECUTION_ID", help="the run")
    view.add_argument("other_id", metavar="OTHER_ID", nargs="?", help="a run to compare it with, molecule by molecule")
    view.add_argument("--folder", metavar="NAME", help="name below the downloads folder (default: one per run)")
    view.add_argument("--no-open", action="store_false", dest="opens", help="only write it")

    wait = commands.add_parser(
        "wait",
        help="wait until runs are over, and print a line for each",
        epilog="Exit codes: 0 all are Completed; 1 one failed, was cancelled or cannot be read; 2 usage, settings or "
        "no valid token; 3 not all are over: time is up, or a quote waits for a yes; 130 interrupted.",
    )
    wait.add_argument("execution_ids", nargs="*", metavar="ID", help="the runs")
    wait.add_argument(
        "--session",
        nargs="?",
        const="",
        metavar="NAME",
        help="all runs of this session that are unfinished now (default: DEEPORIGIN_MCP_SESSION)",
    )
    wait.add_argument(
        "--timeout-seconds", type=_timeout, metavar="N", help="stop waiting then (default: as long as it takes)"
    )
    wait.add_argument("--any", action="store_true", dest="until_any", help="end when the first is over")

    doctor = commands.add_parser("doctor", help="check the configuration and the platform")
    doctor.add_argument("--json", action="store_true", help="print the findings as JSON")

    install = commands.add_parser("install", help="add this server to the configuration of an MCP client")
    _add_target(install)
    install.add_argument(
        "--command", dest="start", default="", metavar="WORDS", help="the command that starts the server"
    )
    install.add_argument(
        "--env", action="append", default=[], metavar="NAME=VALUE", help="a setting to write into the entry; repeatable"
    )
    install.add_argument(
        "--files",
        action="append",
        default=[],
        metavar="DIR",
        help="a folder whose files may be read; the first also takes downloads; repeatable (default: ~/deeporigin)",
    )
    install.add_argument("--with-token", action="store_true", help="write your token into the file, in plain text")
    install.add_argument(
        "--force",
        action="store_true",
        help="replace another entry of that name; write even if the client is not installed",
    )

    uninstall = commands.add_parser("uninstall", help="remove this server from the configuration of an MCP client")
    _add_target(uninstall)
    uninstall.add_argument("--force", action="store_true", help="remove the entry even if it starts another program")
    return parser


def _add_target(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--client", required=True, choices=CLIENTS, help=", ".join(CLIENTS), metavar="CLIENT")
    parser.add_argument("--scope", choices=SCOPES, help="user (default), project (the current folder) or local")
    parser.add_argument("--name", default=SERVER_NAME, help="name of the entry (default: %(default)s)")
    parser.add_argument("--dry-run", action="store_true", help="show what would be done, and change nothing")


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"Invalid port {text!r}. Valid: 0 to 65535.")
    return int(text)


def _seconds(text: str) -> float:
    seconds = _number(text)
    if not 0 <= seconds <= 3600:
        raise argparse.ArgumentTypeError(f"Invalid time {text!r}. Valid: 0 to 3600 seconds.")
    return seconds


def _timeout(text: str) -> float:
    seconds = _number(text)
    if not 0 <= seconds <= LONGEST_TIMEOUT_SECONDS:
        raise argparse.ArgumentTypeError(
            f"Invalid time {text!r}. Valid: 0 to {LONGEST_TIMEOUT_SECONDS} seconds, or leave it out."
        )
    return seconds


def _speed(text: str) -> float:
    speed = _number(text)
    if not 0 < speed < 1e9:
        raise argparse.ArgumentTypeError(f"Invalid speed {text!r}. Valid: a number above 0, such as 60 or 0.5.")
    return speed


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _end_at_signals() -> None:
    """End the process at a signal at once, because reading standard input cannot be interrupted.

    A request that was already sent stays on the platform and is found again by its idempotency key.
    """
    from deeporigin_mcp.logs import leave_at_once

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, leave_at_once)


def _complain(text: str) -> None:
    sys.stderr.write(f"deeporigin-mcp: {text}\n")


def _remove_unusable_tracing() -> None:
    """Before anything imports OpenTelemetry, which would end the process."""
    from deeporigin_mcp.settings.reading import remove_unusable_tracing

    for warning in remove_unusable_tracing():
        _complain(warning)


def _serve(options: argparse.Namespace) -> int:
    from deeporigin_mcp.logs import open_closed_streams

    open_closed_streams()
    _remove_unusable_tracing()
    if options.command and options.http:
        return _serve_http(options)
    for name in ("host", "port", "allowed_host", "allowed_origin", "drain_seconds", "keep_alive_seconds"):
        if getattr(options, name, None) is not None:
            option = f"--{name.replace('_', '-')}"
            _complain(f"{option} needs --http. Add --http, or remove {option}.")
            return EXIT_USAGE
    # Nothing made while starting becomes garbage; collecting would only slow the start.
    gc.disable()

    from deeporigin_mcp.errors import SettingsError
    from deeporigin_mcp.logs import configure_logging
    from deeporigin_mcp.settings import Settings

    try:
        settings = Settings.load()
        configure_logging(settings.log_level)

        from deeporigin_mcp.server import create_server
        from deeporigin_mcp.stdio import serve_stdio

        server = create_server(settings)
    except SettingsError as error:
        _complain(str(error))
        return EXIT_USAGE
    finally:
        gc.freeze()
        gc.enable()
    serve_stdio(server)
    return EXIT_OK


def _serve_http(options: argparse.Namespace) -> int:
    from deeporigin_mcp.errors import SettingsError
    from deeporigin_mcp.logs import configure_logging
    from deeporigin_mcp.settings import Settings

    host = HTTP_HOST if options.host is None else options.host
    port = HTTP_PORT if options.port is None else options.port
    try:
        settings = Settings.load_for_http(
            allowed_hosts=options.allowed_host or [], allowed_origins=options.allowed_origin or []
        )
        configure_logging(settings.log_level)

        from deeporigin_mcp.http import serve

        keep_alive = {} if options.keep_alive_seconds is None else {"keep_alive_seconds": options.keep_alive_seconds}

        def ready(address: str) -> None:
            _complain(f"serves MCP on {address} for {settings.base_url}")
            sys.stderr.flush()

        drain_seconds = options.drain_seconds or 0.0
        serve(settings, host=host, port=port, drain_seconds=drain_seconds, on_ready=ready, **keep_alive)
    except SettingsError as error:
        _complain(str(error))
        return EXIT_USAGE
    except OSError as error:
        _complain(f"cannot listen on {host}:{port}: {error.strerror or error}. Choose another --port.")
        return EXIT_FAILED
    return EXIT_OK


def _simulator(options: argparse.Namespace) -> int:
    from deeporigin_mcp.simulator import Platform, ScaledClock, parse_fault, serve

    try:
        faults = [parse_fault(rule) for rule in options.fault]
    except ValueError as error:
        _complain(str(error))
        return EXIT_USAGE
    platform = Platform(clock=ScaledClock(options.speed), seed=options.seed, faults=faults)
    platform.seed_past_runs()

    def ready(base_url: str) -> None:
        how = "DO_ENV=local" if base_url.endswith(f":{SIMULATOR_PORT}") else f"DO_ENV=local DO_BASE_URL={base_url}"
        sys.stderr.write(f"Deep Origin simulator on {base_url} at speed {options.speed:g}; use it with {how}\n")
        sys.stderr.flush()

    try:
        serve(platform, host="127.0.0.1", port=options.port, on_ready=ready)
    except OSError as error:
        _complain(f"{error.strerror or error}. Choose another --port.")
        return EXIT_FAILED
    return EXIT_OK


def _demo(options: argparse.Namespace) -> int:
    _remove_unusable_tracing()
    from pathlib import Path

    from deeporigin_mcp.demo import run_demo

    return EXIT_OK if run_demo(speed=options.speed, folder=options.folder and Path(options.folder)) else EXIT_FAILED


def _approve(options: argparse.Namespace) -> int:
    from deeporigin_mcp.approve import approve

    return approve(only_list=options.only_list)


def _view(options: argparse.Namespace) -> int:
    _remove_unusable_tracing()
    from deeporigin_mcp.view import view

    return view(options.execution_id, options.other_id, folder=options.folder, opens=options.opens)


def _wait(options: argparse.Namespace) -> int:
    _remove_unusable_tracing()
    from deeporigin_mcp.wait import wait

    return wait(
        options.execution_ids,
        session=options.session,
        timeout_seconds=options.timeout_seconds,
        until_any=options.until_any,
    )


def _doctor(options: argparse.Namespace) -> int:
    _remove_unusable_tracing()
    from deeporigin_mcp.doctor import run_doctor

    return run_doctor(as_json=options.json)


def _install(options: argparse.Namespace) -> int:
    from deeporigin_mcp.errors import SettingsError
    from deeporigin_mcp.install.commands import install, request_of, this_machine, uninstall
    from deeporigin_mcp.install.targets import RefusedError

    how = {"force": options.force, "dry_run": options.dry_run}
    try:
        if options.command == "uninstall":
            uninstall(this_machine(), options.client, options.scope, options.name, **how)
        else:
            request = request_of(
                options.name, options.start, options.env, with_token=options.with_token, files=options.files
            )
            install(this_machine(), options.client, options.scope, request, **how)
    except SettingsError as error:
        _complain(str(error))
        return EXIT_USAGE
    except RefusedError as error:
        _complain(f"{error} {error.next_step}".rstrip())
        return EXIT_FAILED
    return EXIT_OK

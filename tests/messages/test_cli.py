"""What the command line and the doctor say."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deeporigin_mcp.apps import pages
from deeporigin_mcp.cli import main
from deeporigin_mcp.doctor import run_doctor
from deeporigin_mcp.simulator import ManualClock, Platform, make_token, parse_fault, running_simulator
from tests.messages.snapshot import assert_as_agreed
from tests.support.bench import bench_token, docking, running_bench
from tests.support.people import quotation
from tests.support.processes import ORGANISATION, run_program

REFUSED = {
    "port": ("simulator", "--port=-1"),
    "speed": ("demo", "--speed=fast"),
    "seconds": ("serve", "--http", "--drain-seconds=-1"),
    "option of HTTP": ("serve", "--port=8321"),
}

ABOUT = {"token of another organisation": "organisation", "token of another environment": "issuer"}
"""The check of cases in which the platform's refusals are findings too."""


def test_messages_of_the_command_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    # The signals of this process are the tests'.
    monkeypatch.setattr("deeporigin_mcp.cli._end_at_signals", lambda: None)
    said = {}
    for case, arguments in REFUSED.items():
        try:
            code: object = main(arguments)
        except SystemExit as exit_:
            code = exit_.code
        assert code == 2
        said[case] = capsys.readouterr().err.splitlines()[-1]
    assert_as_agreed("cli", said)


def test_messages_of_a_wait(tmp_path: Path) -> None:
    with running_bench() as bench:
        bench.clock.advance_to(datetime.now(UTC))
        runs = {
            "COMPLETED": bench.raw(status="Completed", name="BRD4 pilot", quotationResult=quotation(5)),
            "FAILED": bench.raw(status="Failed", name="covalent"),
            "INCOMPLETE": bench.platform.seed_run(
                "deeporigin.docking", docking("CCO", "N[Pt](N)(Cl)Cl", sync=False)["inputs"], ago_seconds=3600
            ),
            "QUOTED": bench.raw(status="Quoted", quotationResult=quotation(5)),
            "RUNNING": bench.raw(status="Running"),
        }
        cases = {
            "each state": [*runs.values(), "nonsense", "--timeout-seconds", "0"],
            "all completed": [runs["COMPLETED"]],
            "no run of the session": ["--session", "s-nobody"],
            "which session": ["--session"],
            "nothing to wait for": [],
        }
        said = {}
        for case, arguments in cases.items():
            signed_in = {"DO_AUTH_TOKEN": bench_token(), "DO_ORG_KEY": ORGANISATION, "DO_BASE_URL": bench.base_url}
            done = run_program("wait", *arguments, home=tmp_path, variables=signed_in)
            text = re.sub(r" \(request id .*?\)", "", done.stdout + done.stderr)
            for name, execution_id in runs.items():
                text = text.replace(execution_id, name)
            *lines, last = text.splitlines()
            said[case] = "\n".join([*sorted(lines), last, f"exit code {done.returncode}"])
    assert_as_agreed("wait", said)


def test_messages_of_the_doctor(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said = {}
    issuer = "https://login.dev.deeporigin.io/realms/x"
    (tmp_path / "notes.txt").touch()
    cases: dict[str, tuple[dict[str, str], Callable[[Platform], object]]] = {
        "all well": ({}, lambda _: None),
        "limits": (
            {
                "DEEPORIGIN_MCP_AUTO_APPROVE_UP_TO": "2.50",
                "DEEPORIGIN_MCP_MAX_PRICE": "100",
                "DEEPORIGIN_MCP_BUDGET": "250",
                "DEEPORIGIN_MCP_READ_ONLY": "true",
            },
            lambda _: None,
        ),
        "setting": ({"DEEPORIGIN_MCP_BUDGET": "ten"}, lambda _: None),
        "configuration": ({"DO_BASE_URL": "platform"}, lambda _: None),
        "not signed in": ({"DO_AUTH_TOKEN": ""}, lambda _: None),
        "token ends soon": ({"DO_AUTH_TOKEN": make_token(expires_in_seconds=2 * 86_400)}, lambda _: None),
        "token of another organisation": ({"DO_AUTH_TOKEN": make_token(orgs=["acme"])}, lambda _: None),
        "token of another environment": (
            {"DO_AUTH_TOKEN": make_token(issuer=issuer), "DO_BASE_URL": "https://api.staging.deeporigin.io"},
            lambda _: None,
        ),
        "no such project": ({"DO_PROJECT_ID": "09N0SUCHPR0J1"}, lambda _: None),
        "no project set": ({"DO_PROJECT_ID": ""}, lambda _: None),
        "no projects": ({"DO_PROJECT_ID": ""}, lambda found: found.organisations[ORGANISATION].projects.clear()),
        "no clusters": ({}, lambda found: found.organisations[ORGANISATION].clusters.clear()),
        "first cluster unhealthy": (
            {},
            lambda found: found.organisations[ORGANISATION].clusters[0].update(status="unhealthy"),
        ),
        "services down": ({}, lambda found: found.faults.append(parse_fault("GET /billing/health status=502 html"))),
        "folder missing": ({"DEEPORIGIN_MCP_FILES": "~/deeporigin,~/sets"}, lambda _: None),
        "folder that is a file": ({"DEEPORIGIN_MCP_FILES": "~/notes.txt"}, lambda _: None),
        "rule without a tool": ({"DEEPORIGIN_MCP_ALLOWED_TOOL_KEYS": "docking"}, lambda _: None),
        "pages not built": ({}, lambda _: (tmp_path / pages.RESULTS).unlink()),
    }
    # In a clone they may be missing.
    (tmp_path / pages.RESULTS).touch()
    monkeypatch.setattr(pages, "BUILT", tmp_path)
    for case, (variables, prepare) in cases.items():
        platform = Platform(clock=ManualClock(auto_advance=True))
        prepare(platform)
        with running_simulator(platform) as simulator:
            usual = {
                "HOME": str(tmp_path),
                "DO_AUTH_TOKEN": make_token(),
                "DO_ORG_KEY": ORGANISATION,
                "DO_BASE_URL": simulator.base_url,
                "DO_PROJECT_ID": "09DEMAKNASE01",
                "HTTPS_PROXY": "http://127.0.0.1:9",
            }
            with monkeypatch.context() as patch:
                for name, value in {**usual, **variables}.items():
                    patch.setenv(name, value)
                run_doctor(as_json=True)
        findings = json.loads(capsys.readouterr().out.replace(simulator.base_url, "http://127.0.0.1:4931"))["findings"]
        shown = [finding for finding in findings if finding["status"] != "ok"]
        shown = findings if case == "all well" else shown or [findings[1]]
        shown = [finding for finding in shown if finding["check"] == ABOUT.get(case, finding["check"])]
        said[case] = "\n".join(
            f"{finding['status']}  {finding['check']}: {finding['detail']}"
            + (f"\n  → {finding['fix']}" if finding["fix"] else "")
            for finding in shown
        )
    assert_as_agreed("doctor", said)

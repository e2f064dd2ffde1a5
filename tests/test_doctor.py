"""`deeporigin-mcp doctor`: each thing that is wrong is one finding, with what to do, and without the token."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deeporigin_mcp.apps import pages
from deeporigin_mcp.doctor import run_doctor
from deeporigin_mcp.simulator import ManualClock, Platform, RunningSimulator, make_token, parse_fault, running_simulator
from deeporigin_mcp.tools.responses.environment import SIMULATED
from tests.support.processes import CLOSED_PROXY, ORGANISATION, run_program

PROJECT = "09DEMAKNASE01"
MARKS = {"ok     ": "ok", "warning": "warning", "FAILED ": "failed"}
CLOSED_PORT = "http://127.0.0.1:9"


@pytest.fixture
def simulator() -> Iterator[RunningSimulator]:
    with running_simulator(Platform(clock=ManualClock(auto_advance=True))) as running:
        yield running


class Examination:
    """What the doctor found, by check; checks that were not made are absent."""

    def __init__(self, code: int, findings: list[dict[str, str]], output: str) -> None:
        self.code = code
        self.findings = findings
        self.output = output

    @property
    def checks(self) -> list[str]:
        return [finding["check"] for finding in self.findings]

    def __getitem__(self, check: str) -> tuple[str, str, str]:
        """Status, detail and fix of the one finding of a check."""
        [finding] = [finding for finding in self.findings if finding["check"] == check]
        return finding["status"], finding["detail"], finding["fix"]

    @property
    def failed(self) -> list[str]:
        return [finding["check"] for finding in self.findings if finding["status"] == "failed"]


Examine = Callable[..., Examination]


@pytest.fixture
def examine(
    simulator: RunningSimulator, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Examine:
    """Run the doctor on the simulator with these variables and files; None leaves a variable out.

    Both forms of its output are read each time and must say the same, and never the token.
    """

    # In a clone they may be missing.
    (tmp_path / pages.RESULTS).touch()
    monkeypatch.setattr(pages, "BUILT", tmp_path)

    def examine(*, files: dict[str, str] | None = None, **variables: str | None) -> Examination:
        usual = {
            "DO_AUTH_TOKEN": make_token(),
            "DO_ORG_KEY": ORGANISATION,
            "DO_BASE_URL": simulator.base_url,
            "DO_PROJECT_ID": PROJECT,
            "HTTPS_PROXY": CLOSED_PROXY,
            "HOME": str(tmp_path),
        }
        for name, value in {**usual, **variables}.items():
            monkeypatch.delenv(name, raising=False)
            if value is not None:
                monkeypatch.setenv(name, value)
        (tmp_path / ".deeporigin").mkdir(exist_ok=True)
        for name, content in (files or {}).items():
            (tmp_path / ".deeporigin" / name).write_text(content)

        code = run_doctor(as_json=True)
        report = json.loads(capsys.readouterr().out)
        assert run_doctor(as_json=False) == code
        text = capsys.readouterr().out
        assert report["ok"] is (code == 0)
        assert findings_in(text) == report["findings"]
        token = variables.get("DO_AUTH_TOKEN", usual["DO_AUTH_TOKEN"]) or make_token()
        for part in token.split("."):
            assert len(part) < 10 or part not in text + json.dumps(report)
        return Examination(code, report["findings"], text)

    return examine


def findings_in(text: str) -> list[dict[str, str]]:
    """The findings as a person reads them."""
    findings: list[dict[str, str]] = []
    for line in text.splitlines():
        if line.startswith("         → "):
            findings[-1]["fix"] = line.removeprefix("         → ")
        else:
            check, _, detail = line[9:].partition(": ")
            findings.append({"check": check, "status": MARKS[line[:7]], "detail": detail, "fix": ""})
    return findings


def test_a_good_configuration_is_all_well(examine: Examine, simulator: RunningSimulator) -> None:
    found = examine()
    assert found.code == 0
    assert found.checks == [
        "platform",
        "spending",
        "files",
        "token",
        "issuer",
        "services",
        "organisation",
        "project",
        "cluster",
    ]
    assert {finding["status"] for finding in found.findings} == {"ok"}
    assert all(finding["fix"] == "" for finding in found.findings)
    assert found["platform"][1] == f"local ({SIMULATED}): {simulator.base_url} (from DO_BASE_URL)"
    assert found["token"][1] == "ada@deeporigin.invalid (DO_AUTH_TOKEN), 365.0 days left"
    assert found["services"][1] == "billing, data-platform, entities, files, tools"
    assert found["organisation"][1] == "deeporigin (DO_ORG_KEY)"
    assert found["project"][1] == PROJECT


def test_a_clone_without_built_pages_is_told_what_to_run(examine: Examine, tmp_path: Path) -> None:
    (tmp_path / pages.RESULTS).unlink()
    found = examine()
    assert (found.code, found["pages"][0]) == (0, "warning")
    assert "scripts/apps" in found["pages"][2]


def test_the_folders_are_shown_with_what_is_wrong_with_them(examine: Examine, tmp_path: Path) -> None:
    assert examine()["files"] == ("ok", "~/deeporigin (made on first use)", "")
    assert not (tmp_path / "deeporigin").exists()
    for folder in ("sets", "locked"):
        (tmp_path / folder).mkdir()
    assert examine(DEEPORIGIN_MCP_FILES="~/sets,~/locked")["files"] == ("ok", "~/sets, ~/locked", "")
    status, detail, fix = examine(DEEPORIGIN_MCP_FILES="~/sets,~/nowhere")["files"]
    assert (status, "~/nowhere (does not exist)" in detail, bool(fix)) == ("warning", True, True)
    (tmp_path / "file").touch()
    for first in ("~/file", "~/file/below"):
        found = examine(DEEPORIGIN_MCP_FILES=first)
        assert (found.code, found.failed) == (1, ["files"])


def test_every_limit_that_is_set_is_named(examine: Examine) -> None:
    found = examine(
        DEEPORIGIN_MCP_AUTO_APPROVE_UP_TO="2.50",
        DEEPORIGIN_MCP_MAX_PRICE="100",
        DEEPORIGIN_MCP_BUDGET="250",
        DEEPORIGIN_MCP_READ_ONLY="true",
    )
    assert re.findall(r"[\d.]+|read-only", found["spending"][1]) == ["2.50", "100.00", "250.00", "read-only"]


def test_nothing_is_changed_on_the_platform_and_nothing_is_written(
    examine: Examine, simulator: RunningSimulator, tmp_path: Path
) -> None:
    examine()
    assert simulator.platform.executions == {}
    assert {method for method, target, _ in simulator.platform.requests if "search" not in target} == {"GET"}
    assert [*(tmp_path / ".deeporigin").iterdir()] == []


def test_no_credentials_is_told_with_where_to_put_them(examine: Examine) -> None:
    found = examine(DO_AUTH_TOKEN=None, DO_ORG_KEY=None, DO_BASE_URL=None)
    assert found.code == 1
    status, detail, fix = found["token"]
    assert status == "failed"
    for variable in ("DO_AUTH_TOKEN", "DO_ORG_KEY"):
        assert variable in detail
        assert variable in fix
    assert "~/.deeporigin/api_tokens.json" in fix
    assert "organisation" not in found.checks


def test_an_expired_token_is_told_with_the_day(examine: Examine) -> None:
    found = examine(DO_AUTH_TOKEN=make_token(expires_in_seconds=-86_400))
    assert (found.code, found.failed) == (1, ["token"])
    assert re.search(r" on 20\d\d-\d\d-\d\d ", found["token"][1])
    assert "DO_AUTH_TOKEN" in found["token"][2]


def test_a_token_that_ends_soon_is_a_warning(examine: Examine) -> None:
    found = examine(DO_AUTH_TOKEN=make_token(expires_in_seconds=2 * 86_400))
    assert found.code == 0
    assert found["token"][:2] == ("warning", "ada@deeporigin.invalid (DO_AUTH_TOKEN), 2.0 days left")
    assert found["token"][2]


def test_a_token_that_is_none_is_not_repeated(examine: Examine) -> None:
    found = examine(DO_AUTH_TOKEN="do-not-show-this-secret")
    assert (found.code, found.failed) == (1, ["token"])
    assert "secret" not in found["token"][1]


@pytest.mark.parametrize("issuer", ["http://[", "nonsense", "https://login.example.org/a\nb"])
def test_an_odd_issuer_is_no_obstacle_where_the_address_is_given(examine: Examine, issuer: str) -> None:
    found = examine(DO_AUTH_TOKEN=make_token(issuer=issuer))
    assert (found.code, found["issuer"][0]) == (0, "ok")


def test_a_token_of_another_environment_is_told(examine: Examine) -> None:
    token = make_token(issuer="https://login.dev.deeporigin.io/realms/deeporigin")
    found = examine(DO_AUTH_TOKEN=token, DO_BASE_URL="https://api.staging.deeporigin.io")
    assert found.code == 1
    assert found["issuer"][0] == "failed"
    assert all(name in found["issuer"][1] for name in ("dev", "login.dev.deeporigin.io", "staging"))


def test_an_organisation_that_is_not_the_tokens_is_told_with_the_valid_ones(examine: Examine) -> None:
    found = examine(DO_AUTH_TOKEN=make_token(orgs=["acme"]))
    assert found.code == 1
    status, detail, fix = found["organisation"]
    assert (status, "deeporigin" in detail, "acme" in detail, "DO_ORG_KEY" in fix) == ("failed", True, True, True)


def test_a_project_that_does_not_exist_is_told_with_the_valid_ones(examine: Examine) -> None:
    found = examine(DO_PROJECT_ID="09N0SUCHPR0J1")
    assert (found.code, found.failed) == (1, ["project"])
    _, detail, fix = found["project"]
    assert "09N0SUCHPR0J1" in detail
    assert f"{PROJECT} (Kinase pilot)" in fix


def test_no_project_is_a_warning_with_the_choice(examine: Examine) -> None:
    found = examine(DO_PROJECT_ID=None)
    assert found.code == 0
    assert found["project"][0] == "warning"
    assert f"{PROJECT} (Kinase pilot)" in found["project"][2]


def test_the_only_project_needs_no_setting(examine: Examine, simulator: RunningSimulator) -> None:
    projects = simulator.platform.organisations[ORGANISATION].projects
    for other in [*projects][1:]:
        del projects[other]
    assert examine(DO_PROJECT_ID=None)["project"] == ("ok", f"{PROJECT} (Kinase pilot), the only one", "")


def test_an_organisation_without_projects_is_a_warning(examine: Examine, simulator: RunningSimulator) -> None:
    simulator.platform.organisations[ORGANISATION].projects.clear()
    found = examine(DO_PROJECT_ID=None)
    assert (found.code, found["project"][0]) == (0, "warning")
    status, detail, fix = examine()["project"]
    assert (status, PROJECT in detail, "DO_PROJECT_ID" in fix) == ("failed", True, True)


def test_an_organisation_without_clusters_cannot_run_anything(examine: Examine, simulator: RunningSimulator) -> None:
    simulator.platform.organisations[ORGANISATION].clusters.clear()
    found = examine()
    assert (found.code, found["cluster"][0]) == (1, "failed")


@pytest.mark.parametrize(
    ("trouble", "word"), [({"status": "unhealthy"}, "unhealthy"), ({"enabled": False}, "disabled")]
)
def test_a_first_cluster_in_trouble_is_a_warning(
    examine: Examine, simulator: RunningSimulator, trouble: dict[str, object], word: str
) -> None:
    simulator.platform.organisations[ORGANISATION].clusters[0] |= trouble
    found = examine()
    assert (found.code, found["cluster"][0]) == (0, "warning")
    assert word in found["cluster"][1]
    assert "cluster_id" in found["cluster"][2]


def test_a_platform_out_of_reach_is_told_once(examine: Examine) -> None:
    found = examine(DO_BASE_URL=CLOSED_PORT)
    assert (found.code, found.failed) == (1, ["network"])
    assert "services" not in found.checks
    assert "HTTPS_PROXY" in found["network"][2]


def test_services_that_are_down_are_named_apart_from_those_that_are_well(
    examine: Examine, simulator: RunningSimulator
) -> None:
    simulator.platform.unhealthy |= {"files"}
    simulator.platform.faults += [parse_fault("GET /billing/health status=502 html")]
    found = examine()
    assert (found.code, found.failed) == (1, ["services", "services"])
    details = [finding["detail"] for finding in found.findings if finding["check"] == "services"]
    assert sorted(details) == ["billing: HTTP 502", "data-platform, entities, tools", "files: HTTP 503"]


@pytest.mark.parametrize(
    ("path", "check"),
    [("*/organizations*", "organisation"), ("*/projects/search", "project"), ("*/clusters*", "cluster")],
)
def test_each_question_that_the_platform_cannot_answer_is_told(
    examine: Examine, simulator: RunningSimulator, path: str, check: str
) -> None:
    simulator.platform.faults += [parse_fault(f"* {path} status=404")]
    found = examine()
    assert (found.code, found.failed) == (1, [check])


@pytest.mark.parametrize("name", ["config.json", "api_tokens.json"])
@pytest.mark.parametrize("content", ["{", '"'])
def test_a_broken_file_is_told_and_no_address_is_guessed(
    examine: Examine, simulator: RunningSimulator, name: str, content: str
) -> None:
    found = examine(DO_AUTH_TOKEN=None, DO_ORG_KEY=None, DO_BASE_URL=None, files={name: content})
    assert found.code == 1
    assert found.checks == ["spending", "files", "configuration"]
    assert f"~/.deeporigin/{name}" in found["configuration"][1]
    assert found["configuration"][2]
    assert simulator.platform.requests == []


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"DO_BASE_URL": "platform"}, "DO_BASE_URL"),
        ({"DO_AUTH_TOKEN": None, "DO_BASE_URL": None, "DO_ENV": "produktion"}, "DO_ENV"),
        ({"DO_ORG_KEY": "a\x1bb"}, "DO_ORG_KEY"),
    ],
)
def test_a_wrong_address_or_environment_is_not_called_a_wrong_token(
    examine: Examine, simulator: RunningSimulator, variables: dict[str, str | None], named: str
) -> None:
    found = examine(**variables)
    assert (found.code, found.checks) == (1, ["spending", "files", "configuration"])
    assert named in found["configuration"][2]
    assert "token" not in found["configuration"][2]
    assert simulator.platform.requests == []


def test_files_of_the_official_client_are_named_as_sources(examine: Examine) -> None:
    files = {
        "config.json": json.dumps({"env": "staging", "org_key": "acme"}),
        "api_tokens.json": json.dumps({"staging": make_token(issuer="https://login.staging.deeporigin.io/realms/x")}),
    }
    found = examine(DO_AUTH_TOKEN=None, DO_ORG_KEY=None, DO_BASE_URL=None, files=files)
    assert found["platform"][1] == (
        "staging (not production): https://api.staging.deeporigin.io (from ~/.deeporigin/config.json)"
    )
    assert found["token"][1].startswith("ada@deeporigin.invalid (~/.deeporigin/api_tokens.json), ")
    assert found.failed == ["network"]
    assert "HTTPS_PROXY" in found.findings[-1]["detail"]


def test_text_of_the_platform_cannot_break_the_lines(examine: Examine, simulator: RunningSimulator) -> None:
    simulator.platform.organisations[ORGANISATION].clusters[0]["name"] = "first\n\x1b[2Jok       all: fine"
    found = examine(DO_AUTH_TOKEN=make_token(email="a\n\x1b[2Jb"))
    assert "\x1b" not in found.output
    assert found["token"][1].startswith("a [2Jb (DO_AUTH_TOKEN)")
    assert found["cluster"][1].startswith("first [2Jok all: fine")


def test_a_setting_that_cannot_be_used_is_exit_code_2(examine: Examine) -> None:
    found = examine(DEEPORIGIN_MCP_MAX_PRICE="-1")
    assert (found.code, found.checks) == (2, ["settings"])
    assert "DEEPORIGIN_MCP_MAX_PRICE '-1'" in found["settings"][1]


def test_the_command_exits_with_what_was_found(tmp_path: Path) -> None:
    done = run_program("doctor", "--json", home=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    assert json.loads(done.stdout)["ok"] is False


# The network, and what was set


def test_a_proxy_is_shown_without_its_credentials(examine: Examine) -> None:
    files = {"config.json": json.dumps({"org_key": "acme"}), "api_tokens.json": json.dumps({"prod": make_token()})}
    nobody = {"DO_AUTH_TOKEN": None, "DO_ORG_KEY": None, "DO_BASE_URL": None}
    found = examine(**nobody, files=files, HTTPS_PROXY="http://ada:hunter2@127.0.0.1:9")
    told = [(finding["status"], finding["detail"]) for finding in found.findings if finding["check"] == "network"]
    assert told[0] == ("ok", "through http://127.0.0.1:9 (from HTTPS_PROXY)")
    assert told[1][0] == "failed"
    assert "hunter2" not in found.output


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"SSL_CERT_FILE": "/nowhere/cacert.pem"}, "SSL_CERT_FILE"),
        ({"SSL_CERT_DIR": "/nowhere"}, "SSL_CERT_DIR"),
        ({"HTTPS_PROXY": "socks4://ada:hunter2@127.0.0.1:9"}, "HTTPS_PROXY"),
        ({"HTTPS_PROXY": None, "ALL_PROXY": "nonsense://x"}, "ALL_PROXY"),
    ],
)
def test_a_variable_of_the_network_that_cannot_be_used_is_told_once(
    examine: Examine, variables: dict[str, str | None], named: str
) -> None:
    found = examine(DO_BASE_URL="https://gateway.invalid", **variables)
    assert (found.code, found.failed) == (1, ["network"])
    assert named in found["network"][1]
    assert named in found["network"][2]
    assert "hunter2" not in found.output


def test_an_address_that_would_not_be_called_is_told(examine: Examine, simulator: RunningSimulator) -> None:
    files = {
        "config.json": json.dumps({"org_key": ORGANISATION}),
        "api_tokens.json": json.dumps({"prod": make_token()}),
    }
    found = examine(DO_AUTH_TOKEN=None, DO_ORG_KEY=None, files=files)
    assert (found.code, found.failed) == (1, ["configuration"])
    assert "DO_BASE_URL" in found["configuration"][1]
    assert "DO_BASE_URL" in found["configuration"][2]
    assert simulator.platform.requests == []
    found = examine(DO_AUTH_TOKEN=None, DO_ORG_KEY=None, DO_ENV="local")
    assert found["platform"][1] == f"local ({SIMULATED}): {simulator.base_url} (from DO_BASE_URL)"
    assert found.code == 0


@pytest.mark.parametrize(
    ("rules", "status", "idle"),
    [
        ("deeporigin.docking", "ok", ""),
        ("deeporigin.*", "ok", ""),
        ("Deeporigin.Docking", "ok", ""),
        ("docking", "failed", "docking"),
        ("deeporigin.docking,deeporigin.dockin", "warning", "deeporigin.dockin"),
    ],
)
def test_a_list_of_allowed_tools_is_compared_with_the_platform_s(
    examine: Examine, rules: str, status: str, idle: str
) -> None:
    found = examine(DEEPORIGIN_MCP_ALLOWED_TOOL_KEYS=rules)
    assert found["allowed tools"][0] == status
    assert found["allowed tools"][1].endswith(idle)
    assert found.code == (status == "failed")
    assert ("deeporigin.docking" in found["allowed tools"][2]) is bool(idle)


def test_a_mistyped_setting_is_exit_code_2(examine: Examine) -> None:
    found = examine(DEEPORIGIN_MCP_BUGDET="5")
    assert (found.code, found.checks) == (2, ["settings"])
    assert "DEEPORIGIN_MCP_BUDGET?" in found["settings"][1]


@pytest.mark.parametrize(
    ("name", "value"), [("TOOLSETS", "executions,catalog"), ("AUDIT_LOG", "/nowhere/audit.jsonl"), ("TOOLSETS", ",")]
)
def test_whatever_keeps_the_server_from_starting_is_told(examine: Examine, name: str, value: str) -> None:
    found = examine(**{f"DEEPORIGIN_MCP_{name}": value})
    assert (found.code, found.checks) == (2, ["settings"])
    assert f"DEEPORIGIN_MCP_{name}" in found["settings"][1]


def test_a_catalogue_that_cannot_be_read_is_told_beside_the_list(examine: Examine, simulator: RunningSimulator) -> None:
    simulator.platform.faults += [parse_fault("GET */tools/definitions* status=404")]
    found = examine(DEEPORIGIN_MCP_ALLOWED_TOOL_KEYS="deeporigin.docking")
    assert found["allowed tools"][0] == "failed"


def test_what_other_programs_are_told_of_tracing_is_passed_over(tmp_path: Path) -> None:
    variables = {"OTEL_PROPAGATORS": "b3,tracecontext", "OTEL_PYTHON_TRACER_PROVIDER": "vendor_tracer"}
    done = run_program("doctor", "--json", home=tmp_path, variables=variables)
    assert [finding["check"] for finding in json.loads(done.stdout)["findings"]][-1] == "network"
    assert "'b3' in OTEL_PROPAGATORS" in done.stderr
    assert "'vendor_tracer' in OTEL_PYTHON_TRACER_PROVIDER" in done.stderr

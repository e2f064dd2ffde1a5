"""The image and the manifests: valid by their own tools, and true to the program that they run."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from deeporigin_mcp.cli import HTTP_PORT, _parser
from deeporigin_mcp.http.app import create_app
from deeporigin_mcp.http.bodies import MAX_BODY_BYTES
from deeporigin_mcp.http.serving import STOP_SECONDS
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.tools.runtime.state import CALL_SECONDS
from tests.support.documents import variables_that_are_read
from tests.support.processes import REPOSITORY

DOCKERFILE = REPOSITORY / "Dockerfile"
MANIFESTS = sorted((REPOSITORY / "examples/kubernetes").glob("*.yaml"))
TOOLS = Path(sys.executable).parent
NAME = "deeporigin-mcp"


def instructions() -> list[tuple[str, str]]:
    """Each instruction of the Dockerfile with its arguments, lines joined and comments left out."""
    text = re.sub(r"\\\n", " ", re.sub(r"(?m)^#.*\n", "", DOCKERFILE.read_text(encoding="utf-8")))
    return [(line.split()[0], line.partition(" ")[2].strip()) for line in text.splitlines() if line.strip()]


def arguments_of(instruction: str) -> list[str]:
    [given] = [json.loads(rest) for name, rest in instructions() if name == instruction]
    return [str(part) for part in given]


def manifest(kind: str) -> dict[str, Any]:
    [found] = [content for path in MANIFESTS if (content := yaml.safe_load(path.read_text()))["kind"] == kind]
    return dict(found)


def container() -> dict[str, Any]:
    [found] = manifest("Deployment")["spec"]["template"]["spec"]["containers"]
    return dict(found)


def test_the_linter_of_dockerfiles_has_nothing_to_say() -> None:
    done = subprocess.run([TOOLS / "hadolint", "-t", "style", DOCKERFILE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_every_manifest_fits_the_schema_of_kubernetes() -> None:
    command = [str(TOOLS / "kubernetes-validate"), "--strict", "--quiet", *map(str, MANIFESTS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len(MANIFESTS) >= 3


def test_a_manifest_that_does_not_fit_is_found(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(MANIFESTS[0].read_text().replace("metadata:", "metadatum:"))
    done = subprocess.run([TOOLS / "kubernetes-validate", "--strict", wrong], capture_output=True, check=False)
    assert done.returncode != 0


def test_the_image_is_built_from_what_there_is_and_runs_as_nobody_in_particular() -> None:
    bases = [rest.split()[0] for name, rest in instructions() if name == "FROM"]
    assert set(bases) == {"python:3.13-slim"}
    copied = [shlex.split(rest)[:-1] for name, rest in instructions() if name == "COPY" and "--from" not in rest]
    ignore = (REPOSITORY / ".dockerignore").read_text().split()
    for source in [part for parts in copied for part in parts]:
        assert (REPOSITORY / source).exists()
        assert f"!{source}" in ignore
    [user] = [rest for name, rest in instructions() if name == "USER"]
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", user)
    last = len(bases) - 1
    assert [name for name, _ in instructions()].index("USER") > [
        number for number, (name, _) in enumerate(instructions()) if name == "FROM"
    ][last]


def test_the_image_holds_the_tested_versions() -> None:
    [constrain] = [rest for name, rest in instructions() if name == "RUN" and "tomllib" in rest]
    code = shlex.split(constrain)[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert len(lines) > 30
    assert all(re.fullmatch(r"[\w.-]+==[\w.!+-]+", line) for line in lines)


def test_the_image_starts_the_server_and_asks_after_it_where_it_is() -> None:
    assert arguments_of("ENTRYPOINT") == [NAME]
    options = _parser().parse_args(arguments_of("CMD"))
    assert (options.command, options.http, options.host, options.port) == ("serve", True, "0.0.0.0", None)
    assert ("EXPOSE", str(HTTP_PORT)) in instructions()
    [check] = [rest for name, rest in instructions() if name == "HEALTHCHECK"]
    assert f"http://127.0.0.1:{HTTP_PORT}/healthz" in check


def test_the_pods_start_the_server_as_it_can_be_started() -> None:
    options = _parser().parse_args(container()["args"])
    assert (options.http, options.host, options.port) == (True, "0.0.0.0", None)
    [host] = options.allowed_host
    [rule] = manifest("Ingress")["spec"]["rules"]
    [certificate] = manifest("Ingress")["spec"]["tls"]
    assert rule["host"] == host == certificate["hosts"][0]
    variables = {entry["name"]: entry.get("value", "k" * 32) for entry in container()["env"]}
    assert set(variables) <= variables_that_are_read()
    create_app(Settings.load_for_http(variables, allowed_hosts=options.allowed_host))
    assert {"DEEPORIGIN_MCP_SESSION", "DEEPORIGIN_MCP_STATE_KEYS"} <= set(variables)


@pytest.mark.parametrize("probe", ["startupProbe", "readinessProbe", "livenessProbe"])
def test_the_probes_use_paths_that_are_served(probe: str) -> None:
    asked = container()[probe]["httpGet"]
    served = {getattr(route, "path", "") for route in create_app(Settings()).routes}
    assert asked["path"] in served
    assert asked["path"] == ("/healthz" if probe == "livenessProbe" else "/readyz")
    [port] = container()["ports"]
    assert (asked["port"], port["containerPort"]) == (port["name"], HTTP_PORT)


def test_a_pod_gets_the_time_that_its_calls_need() -> None:
    options = _parser().parse_args(container()["args"])
    pod = manifest("Deployment")["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] > options.drain_seconds + STOP_SECONDS
    annotations = manifest("Ingress")["metadata"]["annotations"]
    assert float(annotations["nginx.ingress.kubernetes.io/proxy-read-timeout"]) > CALL_SECONDS
    assert annotations["nginx.ingress.kubernetes.io/proxy-body-size"] == f"{MAX_BODY_BYTES // 2**20}m"


def test_a_pod_has_no_right_that_it_does_not_need() -> None:
    pod = manifest("Deployment")["spec"]["template"]["spec"]
    [user] = [rest for name, rest in instructions() if name == "USER"]
    assert f"{pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}" == user
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    rights = container()["securityContext"]
    assert (rights["readOnlyRootFilesystem"], rights["allowPrivilegeEscalation"]) == (True, False)
    assert rights["capabilities"] == {"drop": ["ALL"]}


def test_all_parts_mean_the_same_pods_and_no_secret_is_written_down() -> None:
    labels = {"app.kubernetes.io/name": NAME}
    assert manifest("Deployment")["spec"]["template"]["metadata"]["labels"] == labels
    assert manifest("Service")["spec"]["selector"] == labels
    for kind, path in (("NetworkPolicy", "podSelector"), ("PodDisruptionBudget", "selector")):
        assert manifest(kind)["spec"][path]["matchLabels"] == labels
    assert manifest("HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]["name"] == NAME
    [path] = manifest("Ingress")["spec"]["rules"][0]["http"]["paths"]
    assert path["backend"]["service"]["name"] == manifest("Service")["metadata"]["name"]
    [keys] = [entry for entry in container()["env"] if entry["name"] == "DEEPORIGIN_MCP_STATE_KEYS"]
    assert "value" not in keys
    assert [
        content for content in (yaml.safe_load(p.read_text()) for p in MANIFESTS) if content["kind"] == "Secret"
    ] == []

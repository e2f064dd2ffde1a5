"""Tokens, organisations, and the routes that need neither."""

import base64
import json

import httpx
import pytest

from deeporigin_mcp.simulator import Platform, make_token
from tests.support.api import DOCKING, PROJECT, Api, docking_inputs

LIST = "/tools/deeporigin/tools/executions"


def encoded(part: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Basic abc",
        "Bearer",
        "Bearer two.parts",
        "Bearer a.!!!.c",
        f"Bearer x.{encoded([1])}.y",
        "Bearer x.bm90IGpzb24.y",
        f"Bearer {make_token(expires_in_seconds=-10)}",
    ],
)
@pytest.mark.parametrize(
    "path",
    [
        LIST,
        "/tools/protected/tools/definitions",
        "/entities/protected/organizations",
        "/billing/deeporigin/usage/t",
        f"/sse/deeporigin/stream/{PROJECT}",
    ],
)
def test_without_a_valid_token_nothing_is_told(base_url: str, path: str, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    response = httpx.get(base_url + path, headers=headers)
    assert response.status_code == 401
    assert response.json() == {"statusCode": 401, "message": "Unauthorized"}


def test_a_token_without_expiry_or_subject_is_good(base_url: str) -> None:
    token = f"{encoded({})}.{encoded({'email': 5})}."
    assert httpx.get(base_url + LIST, headers={"Authorization": f"Bearer {token}"}).status_code == 200


def test_an_unknown_organisation_is_forbidden(base_url: str) -> None:
    stranger = Api(base_url, "umbrella")
    with stranger.http:
        response = stranger.http.get("/tools/umbrella/tools/executions")
    assert response.status_code == 403
    assert response.json()["message"] == "Forbidden resource"


def test_a_token_can_be_limited_to_organisations(base_url: str) -> None:
    with Api(base_url, token=make_token(orgs=["acme"])).http as http:
        assert http.get(LIST).status_code == 403
        assert http.get("/tools/acme/tools/executions").status_code == 200
        rows = http.get("/entities/protected/organizations").json()["data"]
        assert [row["orgKey"] for row in rows] == ["acme"]


def test_an_execution_of_another_organisation_does_not_exist(api: Api, acme: Api, platform: Platform) -> None:
    (execution,) = platform.seed_executions(status="Quoted")
    assert acme.http.get(f"/tools/acme/tools/executions/{execution}").status_code == 404
    assert acme.act(execution, "confirm").status_code == 404
    assert acme.act(execution, "cancel").status_code == 404
    assert acme.listed()["count"] == 0
    assert acme.found("executions", filter={"props": []}) == []
    assert acme.found("user_logs", filter={"execution_id": execution}) == []
    assert api.listed()["count"] == 1


def test_a_run_belongs_to_the_tokens_subject(base_url: str, platform: Platform) -> None:
    api = Api(base_url, token=make_token(subject="u-42"))
    with api.http:
        assert api.create(DOCKING, inputs=docking_inputs()).json()["createdBy"] == "u-42"


def test_clusters_have_a_junk_row_that_is_never_first(api: Api, acme: Api) -> None:
    for one, org in ((api, "deeporigin"), (acme, "acme")):
        answer = one.http.get(f"/tools/{org}/clusters").json()
        assert answer["pagination"] == {"count": 3}
        assert answer["data"][0]["status"] == "healthy"
        assert "string" in {row["hostname"] for row in answer["data"][1:]}
    assert len(api.http.get("/tools/deeporigin/clusters", params={"pageSize": 2, "page": 1}).json()["data"]) == 1


def test_definitions_include_junk_duplicates_and_a_disabled_tool(api: Api) -> None:
    rows = api.http.get("/tools/protected/tools/definitions").json()["data"]
    pairs = [(row["key"], row["version"]) for row in rows]
    assert len(pairs) > len(set(pairs))
    assert [row["key"] for row in rows if not row["enabled"]] == ["deeporigin.bulk-docking"]
    assert any("name" not in row for row in rows)
    versions = api.http.get(f"/tools/protected/tools/{DOCKING}/definitions").json()["data"]
    assert [row["version"] for row in versions] == ["3.2.1", "4.1.0", "4.2.0"]
    assert api.http.get("/tools/protected/tools/none/definitions").json() == {"data": []}


@pytest.mark.parametrize(("selector", "version"), [("4", "4.2.0"), ("latest", "4.2.0"), ("4.1.0", "4.1.0")])
def test_a_definition_is_found_by_selector(api: Api, selector: str, version: str) -> None:
    row = api.http.get(f"/tools/protected/tools/{DOCKING}/{selector}/definitions").json()
    assert row["version"] == version
    assert api.http.get(f"/tools/protected/tools/{DOCKING}/9/definitions").status_code == 404


def test_health_and_version_need_no_token(base_url: str, platform: Platform) -> None:
    assert httpx.get(f"{base_url}/health").json() == {"status": "ok"}
    assert httpx.get(f"{base_url}/data-platform/deeporigin/health").json()["status"] == "ok"
    assert httpx.get(f"{base_url}/tools/version").json()["version"]
    platform.unhealthy.add("tools")
    down = httpx.get(f"{base_url}/tools/health")
    assert (down.status_code, down.json()["error"]) == (503, {"tools": {"status": "down"}})
    assert httpx.get(f"{base_url}/billing/health").status_code == 200


def test_unknown_routes_and_methods_are_refused_in_the_platforms_shape(api: Api) -> None:
    response = api.http.get("/tools/deeporigin/nonsense")
    assert (response.status_code, response.json()["message"]) == (404, "Cannot GET /tools/deeporigin/nonsense")
    response = api.http.delete("/tools/deeporigin/tools/executions")
    assert (response.status_code, response.json()["statusCode"]) == (405, 405)


def test_requests_are_on_record_with_their_status(api: Api, platform: Platform) -> None:
    api.listed(page=0)
    api.http.get("/tools/deeporigin/tools/executions/nope")
    assert platform.requests == [
        ("GET", "/tools/deeporigin/tools/executions?page=0", 200),
        ("GET", "/tools/deeporigin/tools/executions/nope", 404),
    ]


def test_the_record_forgets_the_oldest_requests(platform: Platform) -> None:
    for number in range(25_000):
        platform.remember("GET", str(number), 200)
    assert len(platform.requests) <= 20_000
    assert platform.requests[-1][1] == "24999"

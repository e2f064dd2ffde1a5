"""Settings: the official variables and files resolve as in the official client, and secrets stay secret."""

import base64
import contextlib
import itertools
import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from deeporigin_mcp.errors import CredentialError, SettingsError
from deeporigin_mcp.settings import BASE_URLS, Settings, TokenClaims, environment_of_issuer
from deeporigin_mcp.settings.own import VARIABLES
from deeporigin_mcp.settings.reading import remove_unusable_tracing
from tests.support.processes import run_program

RESOLUTION = Path(__file__).parent / "platform" / "official_resolution.py"
EXPIRES = 4_000_000_000


def make_token(**claims: Any) -> str:
    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    payload = {"iss": "https://login.deeporigin.io/realms/deeporigin", "exp": EXPIRES, "sub": "u-1", **claims}
    return f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(payload)}.c2lnbmF0dXJl"


PROD = make_token()
DEV = make_token(iss="https://login.dev.deeporigin.io/realms/deeporigin")
STAGING = make_token(iss="https://login.staging.deeporigin.io/realms/deeporigin")
LOCAL = make_token(iss="https://local.deeporigin.io/realms/deeporigin")
DISK = {"prod": make_token(sub="disk"), "dev": make_token(sub="disk-dev"), "staging": make_token(sub="old", exp=1)}

CONFIGS: list[Any] = [
    None,
    {},
    {"env": "dev", "org_key": "diskorg"},
    {"env": "local", "org_key": ""},
    {"org_key": "diskorg"},
    {"env": None, "org_key": None},
]
CHOICES: dict[str, list[str | None]] = {
    "DO_AUTH_TOKEN": [None, PROD, DEV, STAGING, LOCAL],
    "DO_ORG_KEY": [None, "acme"],
    "DO_PROJECT_ID": [None, " proj_1 "],
    "DO_ENV": [None, "prod", "dev", "staging", "local", "edge"],
    "DO_BASE_URL": [None, "", "http://gateway.example.org:8080/prefix/"],
}
ENVIRONMENTS = [
    {name: value for name, value in zip(CHOICES, values, strict=True) if value is not None}
    for values in itertools.product(*CHOICES.values())
]


def make_home(folder: Path, config: Any = None, tokens: Any = None) -> Path:
    """A home directory; None leaves a file out, text is written as it is."""
    for name, content in (("config.json", config), ("api_tokens.json", tokens)):
        if content is not None:
            (folder / ".deeporigin").mkdir(parents=True, exist_ok=True, mode=0o700)
            text = content if isinstance(content, str) else json.dumps(content)
            (folder / ".deeporigin" / name).write_text(text)
    return folder


def resolved_by_official(cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    run = subprocess.run(
        [sys.executable, str(RESOLUTION)], input=json.dumps(cases), capture_output=True, text=True, check=True
    )
    answers: list[dict[str, Any]] = json.loads(run.stdout)
    return answers


def resolved_by_us(environ: dict[str, str], home: Path) -> dict[str, Any]:
    settings = Settings.load(environ, home)
    try:
        token = settings.model_copy(update={"org_key": settings.org_key or "any"}).require_token()
    except CredentialError:
        return {"error": "CredentialError"}
    return {
        "base_url": settings.base_url,
        "org_key": settings.org_key,
        "token": token.get_secret_value(),
        "project_id": settings.project_id,
    }


def refusal(settings: Settings) -> str:
    """The code with which the first call is refused."""
    with pytest.raises(CredentialError) as caught:
        settings.require_token()
    return caught.value.code


def meant_address(environ: dict[str, str], official: str) -> str:
    """The address that the operator set, by DO_BASE_URL before DO_ENV; the official client's where none is set."""
    if environ.get("DO_BASE_URL"):
        return environ["DO_BASE_URL"].rstrip("/")
    return BASE_URLS.get(environ["DO_ENV"], "none") if "DO_ENV" in environ else official


def test_every_environment_and_home_resolves_as_in_the_official_client(tmp_path: Path) -> None:
    homes = [
        make_home(tmp_path / f"h{number}", config, tokens)
        for number, (config, tokens) in enumerate(itertools.product(CONFIGS, [None, DISK]))
    ]
    pairs = [(environ, home) for home in homes for environ in ENVIRONMENTS]
    official = resolved_by_official([{"environ": environ, "home": str(home)} for environ, home in pairs])
    assert len(pairs) > 3000
    for (environ, home), theirs in zip(pairs, official, strict=True):
        ours = resolved_by_us(environ, home)
        if "error" not in theirs and (meant := meant_address(environ, theirs["base_url"])) != theirs["base_url"]:
            # On purpose: an address or environment that was set and that the official client passes over.
            assert "error" in ours or ours["base_url"] == meant, (environ, home.name, ours)
            continue
        if "error" in theirs or "error" in ours:
            assert "error" in theirs, (environ, home.name, theirs, ours)
            assert "error" in ours, (environ, home.name, theirs, ours)
            continue
        made_up = "DO_AUTH_TOKEN" not in environ and theirs["base_url"] == BASE_URLS["local"]
        if made_up:
            # Each side makes its own unsigned token for the local platform.
            issuers = {TokenClaims.read(SecretStr(side.pop("token"))).issuer for side in (ours, theirs)}
            assert issuers == {"https://local.deeporigin.io/realms/deeporigin"}
        if not ("DO_AUTH_TOKEN" in environ and "DO_ORG_KEY" in environ):
            # On purpose: DO_PROJECT_ID counts in every mode.
            theirs["project_id"] = environ.get("DO_PROJECT_ID", "").strip()
        assert ours == theirs, (environ, home.name)


@pytest.mark.parametrize("name", ["DO_AUTH_TOKEN", "DO_ORG_KEY", "DO_ENV", "DO_PROJECT_ID", "DO_BASE_URL"])
@pytest.mark.parametrize("nothing", ["", "  "])
def test_a_variable_set_to_nothing_counts_as_not_set(tmp_path: Path, name: str, nothing: str) -> None:
    home = make_home(tmp_path, {"env": "dev", "org_key": "diskorg"}, DISK)
    full = {"DO_AUTH_TOKEN": DEV, "DO_ORG_KEY": "acme", "DO_ENV": "prod"}
    without = {key: value for key, value in full.items() if key != name}
    assert resolved_by_us({**without, name: nothing}, home) == resolved_by_us(without, home)


def test_blanks_around_values_are_dropped(tmp_path: Path) -> None:
    settings = Settings.load({"DO_AUTH_TOKEN": f" {PROD}\n", "DO_ORG_KEY": " acme\t"}, tmp_path)
    assert (settings.org_key, settings.require_token().get_secret_value()) == ("acme", PROD)


# Issuers


@pytest.mark.parametrize(
    ("issuer", "environment"),
    [
        ("https://login.deeporigin.io/realms/deeporigin", "prod"),
        ("https://LOGIN.DeepOrigin.io/realms/deeporigin", "prod"),
        ("https://login.dev.deeporigin.io/realms/deeporigin", "dev"),
        ("https://login.staging.deeporigin.io/realms/deeporigin", "staging"),
        ("https://local.deeporigin.io/realms/deeporigin", "local"),
        ("https://device.deeporigin.io/realms/deeporigin", "prod"),
        ("https://login.deeporigin.io/dev", "prod"),
        ("https://device.example.org/realms/x", None),
        ("https://login.deeporigin.io.example.org", None),
        ("https://notdeeporigin.io", None),
        ("https://user@deeporigin.io:secret@example.org", None),
        ("http://[", None),
        ("", None),
    ],
)
def test_the_labels_of_the_issuers_host_name_the_environment(issuer: str, environment: str | None) -> None:
    assert environment_of_issuer(issuer) == environment


@pytest.mark.parametrize("issuer", ["https://device.example.org", "http://[", "", None, 7])
def test_a_token_of_an_unknown_issuer_goes_nowhere_without_a_base_url(tmp_path: Path, issuer: Any) -> None:
    environ = {"DO_AUTH_TOKEN": make_token(iss=issuer), "DO_ORG_KEY": "acme"}
    settings = Settings.load(environ, tmp_path)
    assert refusal(settings) == "unknown_issuer"
    allowed = Settings.load({**environ, "DO_BASE_URL": "https://gateway.example.org/"}, tmp_path)
    assert allowed.require_token()
    assert allowed.base_url == "https://gateway.example.org"
    assert allowed.environment == "gateway.example.org"


@pytest.mark.parametrize(
    ("base_url", "environment"),
    [(url, name) for name, url in BASE_URLS.items()] + [("http://localhost:6010", "local"), ("http://[", "")],
)
def test_the_environment_is_named_after_the_base_url(base_url: str, environment: str) -> None:
    assert Settings(base_url=base_url).environment == environment


# Files


def snapshot(folder: Path) -> dict[str, Any]:
    return {
        str(path.relative_to(folder)): (
            path.stat().st_mode,
            path.stat().st_mtime_ns,
            path.is_file() and path.read_bytes(),
        )
        for path in sorted(folder.rglob("*"))
    }


@pytest.mark.parametrize("config", [None, {}, "{", {"env": "local"}])
def test_no_file_is_ever_written(tmp_path: Path, config: Any) -> None:
    home = make_home(tmp_path, config, DISK)
    before = snapshot(home)
    for environ in ENVIRONMENTS[::25]:
        resolved_by_us(environ, home)
    assert snapshot(home) == before


def test_a_missing_home_is_not_created(tmp_path: Path) -> None:
    settings = Settings.load({}, tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()
    assert refusal(settings) == "not_signed_in"


def test_no_home_at_all_is_like_an_empty_one(monkeypatch: pytest.MonkeyPatch) -> None:
    # As in a container that runs under a user id without an account.
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(os, "getuid", lambda: 2_111_111_111)
    with pytest.raises(RuntimeError):
        Path.home()
    assert Settings.load({}).token is None


def test_the_process_environment_and_home_are_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in CHOICES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(make_home(tmp_path, {"org_key": "diskorg"}, DISK)))
    monkeypatch.setenv("DO_PROJECT_ID", "proj_9")
    settings = Settings.load()
    assert (settings.org_key, settings.project_id) == ("diskorg", "proj_9")
    assert settings.sources == {
        "project_id": "DO_PROJECT_ID",
        "org_key": "~/.deeporigin/config.json",
        "token": "~/.deeporigin/api_tokens.json",
    }


@pytest.mark.parametrize("broken", ["config.json", "api_tokens.json"])
@pytest.mark.parametrize("content", ["{", "", "\xff\xfe", "[" * 100_000, "NaN}"])
def test_a_broken_file_is_told_at_the_first_call(tmp_path: Path, broken: str, content: str) -> None:
    home = make_home(tmp_path, {"org_key": "diskorg"}, DISK)
    (home / ".deeporigin" / broken).write_text(content, encoding="latin-1")
    settings = Settings.load({}, home)
    with pytest.raises(CredentialError, match=f"~/.deeporigin/{broken}") as caught:
        settings.require_token()
    assert caught.value.code == "unreadable_file"
    assert str(tmp_path) not in str(caught.value)
    assert "DO_AUTH_TOKEN" in caught.value.next_step


@pytest.mark.parametrize("content", ["[]", "null", '"text"', "7"])
def test_a_file_without_an_object_counts_as_empty(tmp_path: Path, content: str) -> None:
    home = make_home(tmp_path, content, content)
    assert refusal(Settings.load({}, home)) == "not_signed_in"


def test_a_directory_in_place_of_a_file_is_told_at_the_first_call(tmp_path: Path) -> None:
    (tmp_path / ".deeporigin" / "config.json").mkdir(parents=True)
    assert refusal(Settings.load({}, tmp_path)) == "unreadable_file"


def test_broken_files_do_not_matter_to_whoever_sets_token_and_organisation(tmp_path: Path) -> None:
    home = make_home(tmp_path, "{", "{")
    assert Settings.load({"DO_AUTH_TOKEN": PROD, "DO_ORG_KEY": "acme"}, home).require_token()


@pytest.mark.parametrize("value", ["edge", "Production", "x" * 5000, "\udcff", "a\nb"])
def test_an_unknown_environment_is_told_at_the_first_call(tmp_path: Path, value: str) -> None:
    for credentials in ({}, {"DO_AUTH_TOKEN": PROD, "DO_ORG_KEY": "acme"}):
        with pytest.raises(CredentialError, match="DO_ENV") as caught:
            Settings.load({"DO_ENV": value, **credentials}, tmp_path).require_token()
    assert len(str(caught.value)) < 300
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("value", ["PROD", "Prod ", '"prod"'])
def test_the_case_of_an_environment_does_not_matter(tmp_path: Path, value: str) -> None:
    home = make_home(tmp_path, {"env": "DEV", "org_key": "diskorg"}, DISK)
    given = {"DO_AUTH_TOKEN": PROD, "DO_ORG_KEY": "acme"}
    for variables in ({"DO_ENV": value}, {"DO_ENV": value, **given}):
        assert Settings.load(variables, home).require_token()
        assert Settings.load(variables, home).environment == "prod"
    assert Settings.load({}, home).environment == "dev"
    assert Settings.load_for_http({"DO_ENV": value.lower()}).environment == "prod"


@pytest.mark.parametrize(
    "url",
    [
        "gateway.example.org",
        "ftp://gateway.example.org",
        "https://",
        "http://[",
        "http://[::1",
        "https://user:secret@gateway.example.org",
        "https://gateway.example.org:99999",
        "https://gateway.example.org:0",
        "https://gateway.example.org:port",
        "https://gateway.example.org/?a=secret",
        "https://gateway.example.org/#x",
        "https://gate way.example.org",
        "https://gateway.example.org\\@evil.example",
        "https://gäteway.example.org",
        "https://gateway.example.org/\udcff",
    ],
)
def test_a_base_url_that_cannot_be_used_is_told_at_the_first_call(tmp_path: Path, url: str) -> None:
    environ = {"DO_AUTH_TOKEN": PROD, "DO_ORG_KEY": "acme", "DO_BASE_URL": url}
    settings = Settings.load(environ, tmp_path)
    assert refusal(settings) in ("invalid_base_url", "invalid_value")
    assert "DO_BASE_URL" in settings.problem
    assert "secret" not in settings.problem


@pytest.mark.parametrize(
    "url", ["https://gateway.example.org", "http://127.0.0.1:4931", "http://[::1]:6010", "https://h/a/b", "http://h_1"]
)
def test_a_usable_base_url_is_taken_as_it_is(tmp_path: Path, url: str) -> None:
    environ = {"DO_AUTH_TOKEN": PROD, "DO_ORG_KEY": "acme", "DO_BASE_URL": url + "/"}
    settings = Settings.load(environ, tmp_path)
    assert (settings.base_url, settings.problem) == (url, "")


@given(
    environ=st.dictionaries(
        st.sampled_from([*CHOICES, "DEEPORIGIN_MCP_SESSION"]),
        st.text(st.characters(exclude_characters="\x00"), max_size=30),
    )
)
def test_no_text_in_a_variable_is_worse_than_unusable_credentials(
    environ: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    try:
        settings = Settings.load(environ, Path("/nonexistent"))
    except SettingsError:
        assert not environ["DEEPORIGIN_MCP_SESSION"].isprintable()
        return
    with contextlib.suppress(CredentialError):
        assert settings.require_token(0.0)


@pytest.mark.parametrize("named", [["staging"], {"name": "staging"}, 1, True])
def test_an_environment_in_a_file_that_is_no_name_is_not_production(tmp_path: Path, named: Any) -> None:
    home = make_home(tmp_path, {"env": named, "org_key": "diskorg"}, DISK)
    with pytest.raises(CredentialError):
        Settings.load({}, home).require_token()


LEFT = ["", "  ", "${DO_ORG_KEY}", "${env:DO_ORG_KEY}", "${user_config.organisation}", "$DO_ORG_KEY"]
LEFT += ["$env:DO_ORG_KEY", "%DO_ORG_KEY%", "{{DO_ORG_KEY}}", "<your key>", '"${DO_ORG_KEY}"']


@pytest.mark.parametrize("left", LEFT)
def test_a_credential_that_a_client_left_unfilled_counts_as_not_set(left: str, tmp_path: Path) -> None:
    folder = tmp_path / ".deeporigin"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"org_key": "acme", "env": "staging"}))
    (folder / "api_tokens.json").write_text(json.dumps({"staging": "a.b.c"}))
    found = Settings.load({"DO_AUTH_TOKEN": left, "DO_ORG_KEY": left, "DO_PROJECT_ID": left}, tmp_path)
    assert (found.org_key, found.environment, found.project_id, found.problem) == ("acme", "staging", "", "")
    assert found.token == SecretStr("a.b.c")


@pytest.mark.parametrize("name", ["AUTO_APPROVE_UP_TO", "MAX_PRICE", "BUDGET"])
def test_a_limit_left_empty_in_a_bundle_is_none_but_one_that_refers_to_nothing_is_refused(
    name: str, tmp_path: Path
) -> None:
    variable = f"DEEPORIGIN_MCP_{name}"
    unlimited = Settings.load({variable: "${user_config.limit}"}, tmp_path)
    assert (unlimited.auto_approve_up_to, unlimited.max_price, unlimited.budget) == (Decimal(0), None, None)
    for reference in ("${LIMIT}", "${env:LIMIT}", "$LIMIT", "5${user_config.limit}"):
        with pytest.raises(SettingsError, match=variable):
            Settings.load({variable: reference}, tmp_path)


# Values as people paste them

AROUND = ['"{}"', "'{}'", "\ufeff{}", " {}\r\n", '\ufeff"{}" \r\n', "“{}”", "\u200b{}\u00a0", "\"'{}'\""]
AROUND += ['"{}",', "'{}';", '\\"{}\\"', "”{}”", "„{}”", "\u00ad{}\u200e"]
AROUND += ["\u201a{}\u2018", "\u2019{}\u2019", "\u2039{}\u203a"]


@pytest.mark.parametrize("around", AROUND)
def test_what_an_editor_leaves_around_a_value_is_no_part_of_it(around: str, tmp_path: Path) -> None:
    values = {
        "DO_AUTH_TOKEN": PROD,
        "DO_ORG_KEY": "acme",
        "DO_PROJECT_ID": "proj_1",
        "DO_BASE_URL": "https://gateway.example.org",
        "DEEPORIGIN_MCP_MAX_PRICE": "5",
        "DEEPORIGIN_MCP_READ_ONLY": "true",
        "DEEPORIGIN_MCP_ALLOWED_TOOL_KEYS": "deeporigin.docking",
    }
    found = Settings.load({name: around.format(value) for name, value in values.items()}, tmp_path)
    assert found.require_token().get_secret_value() == PROD
    assert (found.org_key, found.project_id, found.base_url) == ("acme", "proj_1", "https://gateway.example.org")
    assert (found.max_price, found.read_only, found.allowed_tool_keys) == (Decimal(5), True, ("deeporigin.docking",))


@pytest.mark.parametrize(
    "line", ["{}={}", 'export {}="{}"', "set {}={}\r\n", '$env:{} = "{}";', '"{}": "{}",', "{}: {}"]
)
def test_the_whole_line_of_a_file_is_read_as_its_value(line: str, tmp_path: Path) -> None:
    values = {
        "DO_AUTH_TOKEN": PROD,
        "DO_ORG_KEY": "acme",
        "DO_BASE_URL": "https://gateway.example.org",
        "DEEPORIGIN_MCP_MAX_PRICE": "5",
    }
    found = Settings.load({name: line.format(name, value) for name, value in values.items()}, tmp_path)
    assert found.require_token().get_secret_value() == PROD
    assert (found.org_key, found.base_url, found.max_price) == ("acme", "https://gateway.example.org", Decimal(5))


@pytest.mark.parametrize(
    "form",
    [
        "Token {}",
        "Bearer {}",
        "bearer  {}",
        '"Bearer {}"',
        "Bearer '{}'",
        "Authorization: Bearer {}",
        "Bearer\t{}\r\n",
        "BEARER {}",
    ],
)
def test_the_word_before_a_token_is_no_part_of_it(form: str, tmp_path: Path) -> None:
    by_variable = Settings.load({"DO_AUTH_TOKEN": form.format(PROD), "DO_ORG_KEY": "acme"}, tmp_path)
    home = make_home(tmp_path, {"org_key": "diskorg"}, {"prod": form.format(PROD)})
    by_file = Settings.load({}, home)
    assert by_variable.require_token() == by_file.require_token() == SecretStr(PROD)


def test_a_token_that_a_terminal_wrapped_is_joined(tmp_path: Path) -> None:
    wrapped = "\r\n".join(PROD[at : at + 60] for at in range(0, len(PROD), 60))
    found = Settings.load({"DO_AUTH_TOKEN": wrapped, "DO_ORG_KEY": "acme"}, tmp_path)
    assert found.require_token().get_secret_value() == PROD


@pytest.mark.parametrize("unseen", ["\u00ad", "\u200b", "\u00a0", "\ufeff"])
def test_what_a_page_puts_inside_a_token_is_no_part_of_it(unseen: str, tmp_path: Path) -> None:
    found = Settings.load({"DO_AUTH_TOKEN": f"{PROD[:40]}{unseen}{PROD[40:]}", "DO_ORG_KEY": "acme"}, tmp_path)
    assert found.require_token().get_secret_value() == PROD


@pytest.mark.parametrize("value", ['"acme', "acme'", 'a"b', "acme corp", "acme;", "acme, other", "acme # mine", "a\\b"])
@pytest.mark.parametrize("name", ["DO_ORG_KEY", "DO_PROJECT_ID"])
def test_what_is_no_key_is_named(name: str, value: str, tmp_path: Path) -> None:
    settings = Settings.load({"DO_AUTH_TOKEN": PROD, "DO_ORG_KEY": "acme", name: value}, tmp_path)
    assert (refusal(settings), name in settings.problem) == ("invalid_value", True)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_credentials_are_read_in_whatever_encoding_windows_writes(encoding: str, tmp_path: Path) -> None:
    home = make_home(tmp_path, {"org_key": "diskorg"}, DISK)
    for path in (home / ".deeporigin").iterdir():
        path.write_bytes(path.read_text().replace(",", ",\r\n").encode(encoding))
    found = Settings.load({}, home)
    assert (found.org_key, found.require_token().get_secret_value()) == ("diskorg", DISK["prod"])


@pytest.mark.parametrize("name", ["config.json", "api_tokens.json"])
@pytest.mark.parametrize("kind", ["pipe", "device", "endless", "huge"])
def test_what_is_no_file_of_credentials_is_named_and_not_waited_for(name: str, kind: str, tmp_path: Path) -> None:
    home = make_home(tmp_path, {"org_key": "diskorg"}, DISK)
    path = home / ".deeporigin" / name
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "huge":
        path.write_bytes(b" " * 2**21 + b"{}")
    else:
        path.symlink_to("/dev/null" if kind == "device" else "/dev/zero")
    settings = Settings.load({}, home)
    assert (refusal(settings), name in settings.problem) == ("unreadable_file", True)


# Addresses that were set


@pytest.mark.parametrize(
    ("variables", "config"),
    [
        ({"DO_BASE_URL": "http://127.0.0.1:6010"}, {"org_key": "diskorg"}),
        ({"DO_BASE_URL": "http://127.0.0.1:6010", "DO_AUTH_TOKEN": PROD}, {"org_key": "diskorg"}),
        ({"DO_BASE_URL": "http://127.0.0.1:6010", "DO_ENV": "dev", "DO_ORG_KEY": "acme"}, None),
        ({"DO_BASE_URL": "${SIMULATOR}", "DO_ENV": "dev", "DO_ORG_KEY": "acme"}, None),
        ({"DO_BASE_URL": "${SIMULATOR}", "DO_AUTH_TOKEN": PROD, "DO_ORG_KEY": "acme"}, None),
        ({"DO_BASEURL": "http://127.0.0.1:6010", "DO_AUTH_TOKEN": PROD, "DO_ORG_KEY": "acme"}, None),
        ({"do_base_url": "http://127.0.0.1:6010"}, {"org_key": "diskorg"}),
        ({"DO_ENV": "local", "DO_AUTH_TOKEN": PROD, "DO_ORG_KEY": "acme"}, None),
        ({"DO_ENV": "staging", "DO_AUTH_TOKEN": PROD, "DO_ORG_KEY": "acme"}, None),
        ({"DO_ENV": "${PLATFORM}", "DO_ORG_KEY": "acme"}, None),
    ],
)
def test_an_address_that_was_set_and_would_not_be_called_is_refused_at_the_first_call(
    variables: dict[str, str], config: Any, tmp_path: Path
) -> None:
    settings = Settings.load(variables, make_home(tmp_path, config, DISK))
    [named] = [name for name in variables if name.upper().startswith(("DO_BASE", "DO_ENV"))][:1]
    with pytest.raises(CredentialError, match=named) as caught:
        settings.require_token()
    assert caught.value.next_step


@pytest.mark.parametrize("url", ["http://127.0.0.1:6010", "http://localhost:4040", "http://[::1]:6010"])
@pytest.mark.parametrize("by", ["variable", "file"])
def test_the_local_platform_may_be_anywhere(url: str, by: str, tmp_path: Path) -> None:
    variables = {"DO_ENV": "local"} if by == "variable" else {}
    home = make_home(tmp_path, {"env": "local"} if by == "file" else None, DISK)
    found = Settings.load({**variables, "DO_BASE_URL": url}, home)
    assert (found.base_url, found.sources["base_url"], found.org_key) == (url, "DO_BASE_URL", "deeporigin")
    assert TokenClaims.read(found.require_token()).issuer == "https://local.deeporigin.io/realms/deeporigin"


@pytest.mark.parametrize(
    "url",
    ["HTTPS://gateway.example.org", '"Https://gateway.example.org/"', "https://Gateway.Example.ORG:443/"],
)
def test_one_platform_has_one_address_however_it_is_written(url: str, tmp_path: Path) -> None:
    found = Settings.load({"DO_AUTH_TOKEN": PROD, "DO_ORG_KEY": "acme", "DO_BASE_URL": url}, tmp_path)
    assert (found.base_url, found.problem) == ("https://gateway.example.org", "")


def test_an_address_that_is_called_anyway_may_be_named(tmp_path: Path) -> None:
    home = make_home(tmp_path, {"org_key": "diskorg"}, DISK)
    found = Settings.load({"DO_BASE_URL": BASE_URLS["prod"] + "/"}, home)
    assert found.require_token().get_secret_value() == DISK["prod"]
    assert found.base_url == BASE_URLS["prod"]
    assert Settings.load({"DO_ENV": "dev", "DO_AUTH_TOKEN": DEV, "DO_ORG_KEY": "acme"}, home).require_token()


def test_without_credentials_no_other_address_is_known_than_the_one_that_was_set(tmp_path: Path) -> None:
    found = Settings.load({"DO_BASE_URL": "http://127.0.0.1:6010"}, tmp_path)
    assert found.base_url == "http://127.0.0.1:6010"
    assert refusal(found) == "not_signed_in"


# Own variables


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("DEEPORIGIN_MCP_BUGDET", "BUDGET"),
        ("DEEPORIGIN_MCP_MAXPRICE", "MAX_PRICE"),
        ("DEEPORIGIN_MCP_READONLY", "READ_ONLY"),
        ("deeporigin_mcp_budget", "BUDGET"),
        ("DEEP_ORIGIN_MCP_MAX_PRICE", "MAX_PRICE"),
        ("DEEPORIGINMCP_BUDGET", "BUDGET"),
        ("DEEPORIGIN_MCP_AUTO_APPROVE", "AUTO_APPROVE_UP_TO"),
        ("DEEPORIGIN_MCP_ALLOWED_TOOLS", "ALLOWED_TOOL_KEYS"),
    ],
)
def test_a_mistyped_name_is_refused_with_the_one_that_was_meant(name: str, near: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=f"DEEPORIGIN_MCP_{near}[?]") as caught:
        Settings.load({name: "5"}, tmp_path)
    assert (caught.value.code, name in str(caught.value)) == ("unknown_setting", True)
    with pytest.raises(SettingsError):
        Settings.load_for_http({name: "5"})


def test_a_name_like_no_other_is_refused_with_all_there_are(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="DEEPORIGIN_MCP_XYZ") as caught:
        Settings.load({"DEEPORIGIN_MCP_XYZ": "5"}, tmp_path)
    assert all(name in str(caught.value) for name in VARIABLES)


@pytest.mark.parametrize("value", [",", " , ,", '","', "'',''", ",\ufeff"])
@pytest.mark.parametrize(
    "name", ["ALLOWED_TOOL_KEYS", "TOOLSETS", "STATE_KEYS", "ALLOWED_HOSTS", "ALLOWED_ORIGINS", "FILES"]
)
def test_a_list_of_nothing_is_refused(name: str, value: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=f"DEEPORIGIN_MCP_{name}"):
        Settings.load({f"DEEPORIGIN_MCP_{name}": value}, tmp_path)


@pytest.mark.parametrize("value", ["a.x b.y", "a.x;b.y", "a.x, b y"])
def test_tool_keys_with_anything_but_commas_between_them_are_refused(value: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="DEEPORIGIN_MCP_ALLOWED_TOOL_KEYS"):
        Settings.load({"DEEPORIGIN_MCP_ALLOWED_TOOL_KEYS": value}, tmp_path)


@pytest.mark.parametrize("value", ['"deeporigin.a","deeporigin.b*"', "'deeporigin.a', 'Deeporigin.B*'"])
def test_quotes_and_case_of_tool_keys_do_not_matter(value: str, tmp_path: Path) -> None:
    found = Settings.load({"DEEPORIGIN_MCP_ALLOWED_TOOL_KEYS": value}, tmp_path)
    assert found.allows_tool("deeporigin.a")
    assert found.allows_tool("deeporigin.bind")
    assert not found.allows_tool("deeporigin.c")


def test_a_home_that_nobody_knows_is_named_where_a_path_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(os, "getuid", lambda: 2_111_111_111)
    with pytest.raises(SettingsError, match="DEEPORIGIN_MCP_AUDIT_LOG") as caught:
        Settings.load({"DEEPORIGIN_MCP_AUDIT_LOG": "~/audit.jsonl"})
    assert caught.value.code == "no_home"


# Folders of this machine


@pytest.mark.parametrize("value", ["~/data, {folder}/sets", "'~/data','{folder}/sets'", '"~/data,{folder}/sets"'])
def test_folders_are_whole_paths_and_the_home_directory_is_known(
    value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    found = Settings.load({"DEEPORIGIN_MCP_FILES": value.format(folder=tmp_path)}, tmp_path)
    assert found.files == (tmp_path / "data", tmp_path / "sets")
    assert Settings.load({}, tmp_path).files == (tmp_path / "deeporigin",)


@pytest.mark.parametrize("value", ["data", "./data", "~/data,sets", "../.."])
def test_a_folder_that_depends_on_where_the_server_starts_is_refused(value: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="DEEPORIGIN_MCP_FILES") as caught:
        Settings.load({"DEEPORIGIN_MCP_FILES": value}, tmp_path)
    assert caught.value.code == "invalid_setting"


def test_there_is_no_default_folder_where_no_home_directory_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(os, "getuid", lambda: 2_111_111_111)
    assert Settings().files == ()


def test_only_a_server_with_one_caller_runs_on_the_machine_of_its_user() -> None:
    assert Settings().is_local
    many = Settings.load_for_http({})
    assert not many.is_local
    assert not many.for_caller("token", "acme").is_local


# Variables of tracing that are meant for others


@pytest.mark.parametrize(
    ("variable", "value", "left"),
    [
        ("OTEL_PROPAGATORS", "tracecontext,b3", "tracecontext"),
        ("OTEL_PROPAGATORS", "b3multi, jaeger", None),
        ("OTEL_PROPAGATORS", "tracecontext,baggage", "tracecontext,baggage"),
        ("OTEL_PROPAGATORS", "none", "none"),
        ("OTEL_PROPAGATORS", " ", None),
        ("OTEL_PROPAGATORS", "tracecontext,", "tracecontext"),
        ("OTEL_PYTHON_TRACER_PROVIDER", "vendor_provider", None),
        ("OTEL_PYTHON_TRACER_PROVIDER", "", None),
        ("OTEL_PYTHON_CONTEXT", "vendor_context", None),
        ("OTEL_PYTHON_CONTEXT", "contextvars_context", "contextvars_context"),
    ],
)
def test_what_is_not_installed_is_taken_out_and_the_rest_stays(variable: str, value: str, left: str | None) -> None:
    environ = {variable: value, "OTEL_SERVICE_NAME": "x"}
    warnings = remove_unusable_tracing(environ)
    assert environ == {"OTEL_SERVICE_NAME": "x"} | ({variable: left} if left else {})
    assert bool(warnings) is bool(value.strip(" ,").replace(left or "", ""))
    assert all(variable in line for line in warnings)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OTEL_PROPAGATORS", "b3"),
        ("OTEL_PROPAGATORS", ""),
        ("OTEL_PYTHON_TRACER_PROVIDER", "vendor_provider"),
        ("OTEL_PYTHON_CONTEXT", "vendor_context"),
    ],
)
def test_the_server_starts_whatever_others_trace_with(variable: str, value: str, tmp_path: Path) -> None:
    started = run_program(home=tmp_path, variables={variable: value})
    assert (started.returncode, "Traceback" in started.stderr) == (0, False)
    assert started.stderr.count("\n") == bool(value)

"""The network as it is at work: proxies, exceptions from them, and TLS; each failure names variable and remedy."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime as dt
import gc
import os
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from deeporigin_mcp.errors import DeepOriginError, NetworkError, SettingsError
from deeporigin_mcp.platform import DeepOriginClient
from deeporigin_mcp.settings.network import is_exempt, is_this_machine, route_to
from tests.support.fake_time import FakeTime
from tests.support.recording import Recorder, execution, settings_for

pytestmark = [
    pytest.mark.anyio,
    # httpx leaves the socket of a SOCKS proxy that refuses to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]

PLATFORM = "platform.example"
SECRET = "hunter2"
VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")
NONSENSE = b"HTTP/1.1 400 Bad Request\r\n\r\n"


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [*VARIABLES, "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"]
    for name in [*names, *map(str.lower, names)]:
        monkeypatch.delenv(name, raising=False)


# A platform with TLS


KEY_USAGES = (
    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
    *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
)


@dataclass
class Authority:
    """Who signs a platform's certificate: a company's inspection of TLS, for instance."""

    folder: Path

    def __post_init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "An authority of the test")])
        self.certificate = self._signed(self.name, self.key.public_key(), names=[], is_authority=True)
        self.file = self.folder / "ca.pem"
        self.file.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def _signed(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePublicKey,
        *,
        names: list[str],
        is_authority: bool,
        days: int = 30,
    ) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        built = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=60))
            .not_valid_after(now + dt.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )
        if is_authority:
            # Python 3.13 and newer ask for it.
            usage = dict.fromkeys(KEY_USAGES, False) | {"key_cert_sign": True}
            built = built.add_extension(x509.KeyUsage(**usage), critical=True)
        if names:
            built = built.add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), False)
        return built.sign(self.key, hashes.SHA256())

    def server_context(self, name: str = PLATFORM, days: int = 30) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._signed(subject, key.public_key(), names=[name, "localhost"], is_authority=False, days=days)
        path = self.folder / "server.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A server of plain HTTP, to whom TLS is nonsense."""
    await reader.read(100)
    writer.write(NONSENSE)


BODY = b'{"executionId": "e-1", "status": "Running"}'


@contextlib.asynccontextmanager
async def listening(serve: Serve, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server on a free port; what it still does ends with it."""
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await serve(reader, writer)
        await closed(writer)

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The platform: one execution for whoever asks."""
    while True:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(BODY) + BODY)
        await writer.drain()


@dataclass
class Tunnel:
    """A proxy of either kind that leads every connection to `port`, or refuses as it is told."""

    port: int
    refuses: bytes = b""
    wants: str = ""
    heard: list[bytes] = field(default_factory=list)

    async def http(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.heard.append(head)
        login = base64.b64encode(self.wants.encode())
        if self.wants and login not in head:
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")
        elif self.refuses:
            writer.write(self.refuses)
        else:
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            await self._through(reader, writer)
        await writer.drain()

    async def socks(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, count = await reader.readexactly(2)
        methods = await reader.readexactly(count)
        if self.wants:
            if b"\x02" not in methods:
                writer.write(b"\x05\xff")
                return
            writer.write(b"\x05\x02")
            user = await reader.readexactly((await reader.readexactly(2))[1])
            password = await reader.readexactly((await reader.readexactly(1))[0])
            is_right = user + b":" + password == self.wants.encode()
            writer.write(b"\x01\x00" if is_right else b"\x01\x01")
            if not is_right:
                return
        else:
            writer.write(b"\x05\x00")
        *_, kind = await reader.readexactly(4)
        assert kind == 3, "the name is resolved by the proxy"
        self.heard.append(await reader.readexactly((await reader.readexactly(1))[0]))
        await reader.readexactly(2)
        writer.write(b"\x05" + (self.refuses or b"\x00") + b"\x00\x01\x00\x00\x00\x00\x00\x00")
        if not self.refuses:
            await self._through(reader, writer)

    async def _through(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self.port)

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError):
                while data := await source.read(65536):
                    sink.write(data)
                    await sink.drain()
            sink.close()

        try:
            await asyncio.gather(pump(reader, back), pump(there, writer))
        finally:
            await closed(back)


async def ask(base_url: str = f"https://{PLATFORM}", time: FakeTime | None = None) -> DeepOriginError | None:
    """One request; the error that it ends with."""
    async with DeepOriginClient(settings_for(base_url), timing=(time or FakeTime()).timing) as client:
        try:
            assert (await client.executions.get("e-1"))["executionId"] == "e-1"
        except DeepOriginError as error:
            failure = error
        else:
            return None
    told = f"{failure} {failure.next_step} {failure!r}"
    assert SECRET not in told
    assert told.isprintable()
    failure.__context__ = failure.__traceback__ = None
    gc.collect()
    return failure


# Which way


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST.", "a.localhost", "127.0.0.1", "127.9.9.9", "127.1", "::1", "::ffff:127.0.0.1",
             "0.0.0.0", "2130706433"]
)  # fmt: skip
def test_an_address_of_this_machine_is_known_in_every_form(host: str) -> None:
    assert is_this_machine(host)
    for scheme in ("http", "https"):
        url = f"{scheme}://[{host}]:8080" if ":" in host else f"{scheme}://{host}:8080"
        for name in VARIABLES[:3]:
            assert (
                route_to(url, {name: "http://proxy.example:1", name.lower(): "socks5://proxy.example:1"}).proxy is None
            )


@pytest.mark.parametrize(
    "host", ["localhost.example", "128.0.0.1", "127.example", "platform.example", "fe80::1", "10.1"]
)
def test_another_machine_is_not_taken_for_this_one(host: str) -> None:
    assert not is_this_machine(host)


@pytest.mark.parametrize(
    ("exceptions", "is_named"),
    [
        ("*", True),
        ("api.corp.example", True),
        ("corp.example", True),
        (".corp.example", True),
        ("*.corp.example", True),
        ("CORP.example.", True),
        ("a.example,corp.example", True),
        ("a.example, corp.example", True),
        ("a.example corp.example", True),
        ("a.example;corp.example", True),
        ('"corp.example"', True),
        ("corp.example:443", True),
        ("https://corp.example/", True),
        ("api.*", True),
        ("api.corp.example:8443", False),
        ("orp.example", False),
        ("other.example", False),
        ("api", False),
        ("10.0.0.0/8", False),
        ("", False),
        (",,", False),
        (":443", False),
        ("[", False),
    ],
)
def test_names_without_a_proxy_are_read_in_every_form(exceptions: str, is_named: bool) -> None:
    assert is_exempt("api.corp.example", 443, exceptions) is is_named


@pytest.mark.parametrize(
    ("host", "exceptions", "is_named"),
    [
        ("10.1.2.3", "10.0.0.0/8", True),
        ("10.1.2.3", "10.1.2.3", True),
        ("10.1.2.3", "10.1.2.3:443", True),
        ("10.1.2.3", "10.1.2.3:80", False),
        ("10.1.2.3", "10.0.0.0/255.0.0.0", True),
        ("10.1.2.3", "10.1.*", True),
        ("10.1.2.3", "10.", True),
        ("110.1.2.3", "10.", False),
        ("192.168.0.10", "10", False),
        ("192.168.0.10", ".10, 0.10, *.10", False),
        ("10.1.2.3", "::ffff:10.1.2.3", True),
        ("::ffff:10.1.2.3", "10.0.0.0/8", True),
        ("fd00::1", "[fd00::]/8", True),
        ("11.1.2.3", "10.0.0.0/8", False),
        ("fd00::1", "fd00::1", True),
        ("fd00::1", "[fd00::1]", True),
        ("fd00::1", "[fd00::1]:443", True),
        ("fd00::1", "FD00:0::0:1", True),
        ("fd00::1", "fd00::/8", True),
        ("fd00::1", "10.0.0.0/8,fe80::/10", False),
        ("intranet", "<local>", True),
        ("intranet.corp", "<local>", False),
    ],
)
def test_addresses_without_a_proxy_are_read_in_every_form(host: str, exceptions: str, is_named: bool) -> None:
    assert is_exempt(host, 443, exceptions) is is_named


@pytest.mark.parametrize(
    ("variables", "variable", "url"),
    [
        ({"HTTPS_PROXY": "http://proxy.corp:3128"}, "HTTPS_PROXY", "http://proxy.corp:3128"),
        ({"https_proxy": "proxy.corp:3128"}, "https_proxy", "http://proxy.corp:3128"),
        ({"https_proxy": "http://a:1", "HTTPS_PROXY": "http://b:1"}, "https_proxy", "http://a:1"),
        ({"https_proxy": "", "HTTPS_PROXY": "http://b:1"}, "", ""),
        ({"ALL_PROXY": "socks5h://127.0.0.1:1080"}, "ALL_PROXY", "socks5://127.0.0.1:1080"),
        ({"all_proxy": "socks://127.0.0.1/"}, "all_proxy", "socks5://127.0.0.1:1080"),
        ({"ALL_PROXY": "socks5://a:1", "HTTPS_PROXY": "'http://b:8080/'"}, "HTTPS_PROXY", "http://b:8080"),
        ({"HTTPS_PROXY": "https://[fd00::1]:8443"}, "HTTPS_PROXY", "https://[fd00::1]:8443"),
        ({"HTTPS_PROXY": "HTTP://Proxy.Corp:80"}, "HTTPS_PROXY", "http://proxy.corp:80"),
        ({"HTTPS_PROXY": "${HTTPS_PROXY}"}, "", ""),
        ({"HTTP_PROXY": "http://a:1"}, "", ""),
        ({"HTTPS_PROXY": "http://a:1", "NO_PROXY": ".example"}, "", ""),
        ({"HTTPS_PROXY": "http://a:1", "no_proxy": "", "NO_PROXY": ".example"}, "HTTPS_PROXY", "http://a:1"),
    ],
)
def test_the_proxy_is_the_one_that_the_environment_names(variables: dict[str, str], variable: str, url: str) -> None:
    proxy = route_to(f"https://{PLATFORM}", variables).proxy
    assert (proxy.variable, proxy.url) == (variable, url) if proxy else (variable, url) == ("", "")


@pytest.mark.parametrize(
    ("login", "credentials"),
    [
        ("user:hunter2@", ("user", "hunter2")),
        ("user:hunter2%40home@", ("user", "hunter2@home")),
        ("user:hunter2@home@", ("user", "hunter2@home")),
        ("CORP\\user:hunter2@", ("CORP\\user", "hunter2")),
        ("user@", ("user", "")),
        ("", None),
    ],
)
def test_credentials_of_a_proxy_are_read_and_never_shown(login: str, credentials: tuple[str, str] | None) -> None:
    proxy = route_to(f"https://{PLATFORM}", {"HTTPS_PROXY": f"http://{login}proxy.corp:3128"}).proxy
    assert proxy is not None
    assert (proxy.credentials, proxy.url) == (credentials, "http://proxy.corp:3128")
    assert SECRET not in repr(proxy)


@pytest.mark.parametrize(
    "value",
    [
        f"socks4://user:{SECRET}@proxy.corp:1080",
        f"ftp://user:{SECRET}@proxy.corp",
        f"http://user:{SECRET}#1@proxy.corp:port",
        f"http://user:{SECRET}@",
        f"http://user:{SECRET}@proxy corp:1",
        f"http://user:{SECRET}@[::1",
        f"http://user:{SECRET}@proxy.corp:99999",
        f"{SECRET}+{SECRET}://",
        "http://",
        "://",
    ],
)
async def test_a_proxy_that_cannot_be_read_is_named_without_its_value(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", value)
    error = await ask()
    assert isinstance(error, SettingsError)
    assert (error.code, "HTTPS_PROXY" in str(error)) == ("invalid_proxy", True)
    assert "HTTPS_PROXY" in error.next_step


@pytest.mark.parametrize("name", ["HTTP_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"])
async def test_a_token_is_not_handed_to_a_proxy_over_plain_http(
    name: str, server: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answer(execution())
    async with listening(Tunnel(1).http) as port:
        monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
        assert await ask(server.url) is None
    assert len(server.requests) == 1
    route = route_to("http://gateway.corp:8080", {name: "http://proxy.corp:1"})
    assert route.proxy is None
    assert name in route.note


# Through a proxy


@pytest.mark.parametrize("login", ["", "user:hunter2@", "us%20er:p%40ss@"])
@pytest.mark.parametrize("kind", ["http", "socks5", "socks5h"])
async def test_the_platform_is_reached_through_a_proxy(
    kind: str, login: str, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    wants = {"": "", "user:hunter2@": "user:hunter2", "us%20er:p%40ss@": "us er:p@ss"}[login]
    async with listening(answer, authority.server_context()) as platform:
        tunnel = Tunnel(platform, wants=wants)
        async with listening(tunnel.http if kind == "http" else tunnel.socks) as port:
            monkeypatch.setenv("HTTPS_PROXY" if kind == "http" else "ALL_PROXY", f"{kind}://{login}127.0.0.1:{port}")
            assert await ask() is None
    assert PLATFORM.encode() in tunnel.heard[0]
    assert b"Bearer" not in b"".join(tunnel.heard)


async def test_a_proxy_that_speaks_tls_itself_is_trusted_by_the_same_certificates(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    async with listening(answer, authority.server_context()) as platform:
        async with listening(Tunnel(platform).http, authority.server_context("localhost")) as port:
            monkeypatch.setenv("HTTPS_PROXY", f"https://localhost:{port}")
            # asyncio cannot put TLS into TLS on every Python; what matters is that the proxy's certificate is accepted.
            error = await ask()
            assert error is None or error.code != "certificate_rejected"
        async with listening(refuse) as port:
            monkeypatch.setenv("HTTPS_PROXY", f"https://localhost:{port}")
            error = await ask()
            assert error is not None
            assert error.code == "tls_failed"
            assert "HTTPS_PROXY" in error.next_step


@pytest.mark.parametrize(
    ("kind", "login", "refuses", "code", "is_lasting"),
    [
        ("http", "", b"", "proxy_credentials", True),
        ("http", f"user:wrong-{SECRET}@", b"", "proxy_credentials", True),
        ("socks5", "", b"", "proxy_credentials", True),
        ("socks5", f"user:wrong-{SECRET}@", b"", "proxy_credentials", True),
        ("http", "right:right@", b"HTTP/1.1 403 Forbidden\r\n\r\n", "proxy_failed", True),
        ("http", "right:right@", b"HTTP/1.1 503 Busy\r\n\r\n", "proxy_failed", False),
        ("socks5", "right:right@", b"\x02", "proxy_failed", False),
    ],
)
async def test_a_proxy_that_refuses_is_named_with_the_remedy(
    kind: str,
    login: str,
    refuses: bytes,
    code: str,
    is_lasting: bool,
    monkeypatch: pytest.MonkeyPatch,
    time: FakeTime,
) -> None:
    tunnel = Tunnel(1, refuses=refuses, wants="right:right")
    async with listening(tunnel.http if kind == "http" else tunnel.socks) as port:
        monkeypatch.setenv("ALL_PROXY", f"{kind}://{login}127.0.0.1:{port}")
        error = await ask(time=time)
    assert isinstance(error, NetworkError)
    assert error.code == code
    assert "ALL_PROXY" in str(error)
    assert "ALL_PROXY" in error.next_step or "NO_PROXY" in error.next_step
    assert error.nothing_sent
    # What only the operator can change is not tried again and again.
    assert bool(time.sleeps) is not is_lasting


@pytest.mark.parametrize("answers", [NONSENSE, b"", b"\x05", b"\x05\x00" + NONSENSE, b"\x04\x5a" * 8])
async def test_what_is_no_socks_proxy_is_said_to_be_none(answers: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(answers)

    async with listening(serve) as port:
        monkeypatch.setenv("ALL_PROXY", f"socks5://127.0.0.1:{port}")
        error = await ask()
    assert isinstance(error, NetworkError)
    assert error.code in ("not_a_socks_proxy", "connection_lost")


@pytest.mark.parametrize("host", ["127.0.0.1:9", "no-such-proxy.invalid:3128"])
@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_a_proxy_that_cannot_be_reached_is_named(scheme: str, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"{scheme}://user:{SECRET}@{host}")
    error = await ask()
    assert isinstance(error, NetworkError)
    assert error.code == "proxy_unreachable"
    assert "HTTPS_PROXY" in error.next_step
    assert error.nothing_sent


@pytest.mark.parametrize(
    "url", ["http://[", "http://a:port", "ftp://platform.invalid", "http://" + "a" * 70 + ".invalid"]
)
async def test_an_address_that_nobody_can_call_is_an_error_of_this_package(url: str) -> None:
    assert await ask(url) is not None


# Certificates


@pytest.mark.parametrize("hint", ["", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"])
async def test_an_inspected_connection_is_named_with_the_variable_that_helps(
    hint: str, authority: Authority, monkeypatch: pytest.MonkeyPatch, time: FakeTime
) -> None:
    if hint:
        monkeypatch.setenv(hint, str(authority.file))
    async with listening(answer, authority.server_context()) as port:
        error = await ask(f"https://localhost:{port}", time)
        assert isinstance(error, NetworkError)
        assert error.code == "certificate_rejected"
        assert "SSL_CERT_FILE" in error.next_step
        assert hint in error.next_step
        assert (error.nothing_sent, time.sleeps) == (True, [])
        monkeypatch.setenv("SSL_CERT_FILE", f'"{authority.file}"')
        assert await ask(f"https://localhost:{port}") is None


async def test_certificates_in_a_folder_count(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # The name is the hash that OpenSSL looks for; it is known only where the command is there, so all are tried.
    folder = tmp_path / "certificates"
    folder.mkdir()
    context = ssl.create_default_context(cafile=str(authority.file))
    assert context.cert_store_stats()["x509_ca"] >= 1
    (folder / "00000000.0").write_bytes(authority.file.read_bytes())
    monkeypatch.setenv("SSL_CERT_DIR", f"/nowhere{os.pathsep}{folder}")
    async with listening(answer, authority.server_context()) as port:
        error = await ask(f"https://localhost:{port}")
    # Under another hash it is not found, which is told as certificates that lack it.
    assert isinstance(error, NetworkError)
    assert error.code == "certificate_rejected"
    assert "SSL_CERT_DIR" in error.next_step


async def test_a_folder_that_is_not_there_does_no_harm_beside_a_file(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    monkeypatch.setenv("SSL_CERT_DIR", "/nowhere")
    async with listening(answer, authority.server_context()) as port:
        assert await ask(f"https://localhost:{port}") is None


async def test_an_authority_that_others_do_not_have_is_reported_as_such(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other")
    monkeypatch.setenv("SSL_CERT_FILE", str(other.file))
    async with listening(answer, authority.server_context()) as port:
        error = await ask(f"https://localhost:{port}")
    assert error is not None
    assert error.code == "certificate_rejected"
    assert "SSL_CERT_FILE" in error.next_step


@pytest.mark.parametrize(("name", "days", "reason"), [(PLATFORM, -1, "expired"), ("other.example", 30, "another host")])
async def test_the_error_about_an_invalid_certificate_says_why(
    name: str, days: int, reason: str, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    async with (
        listening(answer, authority.server_context(name, days)) as platform,
        listening(Tunnel(platform).http) as port,
    ):
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        error = await ask()
    assert error is not None
    assert error.code == "certificate_rejected"
    assert reason in str(error)


async def test_an_address_that_does_not_speak_tls_is_reported() -> None:
    async with listening(refuse) as port:
        error = await ask(f"https://localhost:{port}")
    assert error is not None
    assert error.code == "tls_failed"
    assert "DO_BASE_URL" in error.next_step


def unusable_certificates(folder: Path) -> dict[str, tuple[str, Path]]:
    (folder / "empty.pem").touch()
    (folder / "text.pem").write_text("these are not certificates")
    (folder / "half.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA")
    (folder / "folder").mkdir()
    os.mkfifo(folder / "pipe")
    return {
        "gone": ("SSL_CERT_FILE", folder / "gone.pem"),
        "empty": ("SSL_CERT_FILE", folder / "empty.pem"),
        "text": ("SSL_CERT_FILE", folder / "text.pem"),
        "half": ("SSL_CERT_FILE", folder / "half.pem"),
        "a folder": ("SSL_CERT_FILE", folder / "folder"),
        "a pipe": ("SSL_CERT_FILE", folder / "pipe"),
        "a device": ("SSL_CERT_FILE", Path("/dev/zero")),
        "below a file": ("SSL_CERT_FILE", folder / "text.pem" / "ca.pem"),
        "too long": ("SSL_CERT_FILE", folder / ("x" * 5000)),
        "no folder": ("SSL_CERT_DIR", folder / "nowhere"),
        "a file for a folder": ("SSL_CERT_DIR", folder / "text.pem"),
        "no hashes": ("SSL_CERT_DIR", folder / "folder"),
    }


@pytest.mark.parametrize("case", ["gone", "empty", "text", "half", "a folder", "a pipe", "a device", "below a file",
                                  "too long", "no folder", "a file for a folder", "no hashes"])  # fmt: skip
async def test_certificates_that_cannot_be_used_are_named_in_one_sentence(
    case: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: Recorder
) -> None:
    variable, path = unusable_certificates(tmp_path)[case]
    monkeypatch.setenv(variable, str(path))
    error = await ask()
    assert isinstance(error, SettingsError)
    assert (error.code, variable in str(error)) == ("invalid_certificates", True)
    assert str(tmp_path) not in str(error) + error.next_step
    assert variable in error.next_step
    # Over http:// nothing is checked, and nothing is missing.
    server.answer(execution())
    assert await ask(server.url) is None


async def test_a_home_directory_is_meant_by_a_tilde(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SSL_CERT_FILE", "~/ca.pem")
    async with listening(answer, authority.server_context()) as port:
        assert await ask(f"https://localhost:{port}") is None


async def test_an_ipv6_address_of_this_machine_is_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    try:
        server = await asyncio.start_server(lambda _, writer: writer.close(), "::1", 0)
    except OSError:
        pytest.skip("no IPv6 here")
    port = server.sockets[0].getsockname()[1]
    assert server.sockets[0].family == socket.AF_INET6
    error = await ask(f"http://[::1]:{port}")
    server.close()
    assert error is not None
    assert error.code == "connection_lost"

"""TLS and login: what is encrypted, what is verified, and that a password never goes in the clear."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from tournee.integrations.smtp.connections import Connections, SmtpLimits
from tournee.integrations.smtp.mailer import SmtpMailer
from tournee.integrations.smtp.server_url import SmtpServer
from tournee.pipeline.ports import Email, OutsideUnavailable
from tournee_sandbox.smtp.server import SmtpOptions, SmtpSimulator

EMAIL = Email("<1@tournee.example>", "ada@reader.example", "Hello", "Text\n")
StartServer = Callable[..., Coroutine[Any, Any, SmtpSimulator]]


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificate and key of 127.0.0.1, signed by themselves, in one file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl command to make a certificate with")
    folder = tmp_path_factory.mktemp("certificate")
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"),
        ],
        check=True,
        capture_output=True,
    )
    both = folder / "both.pem"
    both.write_bytes((folder / "cert.pem").read_bytes() + (folder / "key.pem").read_bytes())
    return both


@pytest.fixture
async def start_server(tmp_path: Path, certificate: Path) -> AsyncIterator[StartServer]:
    started: list[SmtpSimulator] = []

    async def start(encrypts: bool = True, **options: Any) -> SmtpSimulator:
        context = None
        if encrypts:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
        simulator = SmtpSimulator(tmp_path / "smtp", 1, SmtpOptions(tls=context, **options))
        await simulator.start()
        started.append(simulator)
        return simulator

    yield start
    for simulator in started:
        await simulator.stop()


async def _send(simulator: SmtpSimulator, query: str, login: str = "") -> None:
    url = simulator.read_addresses()["url"].replace("://", f"://{login}")
    mailer = SmtpMailer(url + query, "alerts@tournee.example", SmtpLimits(connect_seconds=60, send_seconds=60))
    try:
        await mailer.send(EMAIL)
    finally:
        await mailer.close()


@pytest.mark.parametrize("starttls", ["offered", "required"])
async def test_starttls_is_used_where_offered(starttls: str, start_server: StartServer, certificate: Path) -> None:
    simulator = await start_server()
    await _send(simulator, f"?starttls={starttls}&ca={certificate}")
    assert len(simulator.store.mails) == 1


async def test_nothing_is_sent_in_the_clear_where_starttls_is_required(start_server: StartServer) -> None:
    simulator = await start_server(encrypts=False)
    with pytest.raises(OutsideUnavailable, match="STARTTLS"):
        await _send(simulator, "?starttls=required")
    assert simulator.store.mails == []


@pytest.mark.parametrize("implicit", [True, False])
async def test_a_certificate_that_nobody_vouches_for_is_refused(implicit: bool, start_server: StartServer) -> None:
    simulator = await start_server(implicit_tls=implicit)
    with pytest.raises(OutsideUnavailable, match="certificate verify failed"):
        await _send(simulator, "")
    assert simulator.store.mails == []


async def test_verification_can_be_waived_by_name(start_server: StartServer) -> None:
    simulator = await start_server()
    await _send(simulator, "?verify=no")
    assert len(simulator.store.mails) == 1


async def test_smtps_encrypts_from_the_first_byte(start_server: StartServer, certificate: Path) -> None:
    simulator = await start_server(implicit_tls=True)
    await _send(simulator, f"?ca={certificate}")
    assert len(simulator.store.mails) == 1


async def test_a_login_is_made_with_the_decoded_password(start_server: StartServer, certificate: Path) -> None:
    simulator = await start_server(user="ada", password="p@ss:w/rd ü")
    await _send(simulator, f"?ca={certificate}", login="ada:p%40ss%3Aw%2Frd%20%C3%BC@")
    assert len(simulator.store.mails) == 1


async def test_a_wrong_password_is_an_outage_and_is_told_to_nobody(
    start_server: StartServer, certificate: Path
) -> None:
    simulator = await start_server(user="ada", password="right")
    with pytest.raises(OutsideUnavailable, match="535") as caught:
        await _send(simulator, f"?ca={certificate}", login="ada:wrongsecret@")
    assert "wrongsecret" not in str(caught.value)


async def test_a_missing_login_is_an_outage(start_server: StartServer, certificate: Path) -> None:
    simulator = await start_server(user="ada", password="right")
    with pytest.raises(OutsideUnavailable, match="530"):
        await _send(simulator, f"?ca={certificate}")


async def test_a_password_does_not_cross_a_network_in_the_clear(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulator = await start_server(encrypts=False, user="ada", password="x")
    monkeypatch.setattr(SmtpServer, "is_loopback", property(lambda server: False))
    with pytest.raises(OutsideUnavailable, match="clear text"):
        await _send(simulator, "", login="ada:x@")
    await _send(simulator, "?starttls=never", login="ada:x@")
    assert len(simulator.store.mails) == 1


@pytest.mark.parametrize(
    ("host", "loopback"), [("localhost", True), ("127.9.9.9", True), ("::1", True), ("127.example", False)]
)
def test_only_this_machine_counts_as_loopback(host: str, loopback: bool) -> None:
    assert SmtpServer(host, 25).is_loopback is loopback


async def test_closing_what_was_never_opened_does_nothing() -> None:
    await Connections(SmtpServer("127.0.0.1", 25), SmtpLimits(), helo="tournee.example").close()

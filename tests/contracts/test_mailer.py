"""What every Mailer keeps: one suite for SMTP and for the outbox."""

from __future__ import annotations

import asyncio
import email
import email.policy
import mailbox
import stat
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import pytest

from tournee.integrations.local.outbox import OutboxMailer, name_file
from tournee.integrations.smtp.mailer import SmtpMailer
from tournee.pipeline.ports import Email, Mailer, OutsideUnavailable, Rejected
from tournee_sandbox.smtp.server import SmtpSimulator

SENDER = "Tournée <alerts@tournee.example>"
EMAIL = Email(
    message_id="<delivery-7.c0ffee@tournee.example>",
    to="chloe.lind@reader.example",
    subject="Nouveau : « La neige au cinéma »\r\nBcc: eve@reader.example",
    text="Bonjour,\n\nHuit façons de faire tomber la neige.\n",
    html="<p>Bonjour,</p><p>Huit façons de faire tomber la neige.</p>",
    headers={"X-Tournee-Delivery": "7"},
)


@dataclass
class Outgoing:
    """A mailer and the bytes of what it sent, whoever holds them."""

    mailer: Mailer
    read: Callable[[], list[bytes]]


@pytest.fixture(params=["smtp", "outbox"])
async def outgoing(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Outgoing]:
    if request.param == "outbox":
        folder = tmp_path / "home" / "outbox"
        yield Outgoing(
            OutboxMailer(folder, SENDER), lambda: [path.read_bytes() for path in sorted(folder.glob("new/*"))]
        )
        return
    simulator = SmtpSimulator(tmp_path / "smtp", seed=1)
    await simulator.start()
    mailer = SmtpMailer(simulator.read_addresses()["url"], SENDER)
    yield Outgoing(mailer, lambda: [(tmp_path / "smtp" / mail.file).read_bytes() for mail in simulator.store.mails])
    await mailer.close()
    await simulator.stop()


def _parse(raw: bytes) -> EmailMessage:
    parsed = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(parsed, EmailMessage)
    return parsed


async def test_a_mail_is_handed_over_when_send_returns(outgoing: Outgoing) -> None:
    await outgoing.mailer.send(EMAIL)
    (raw,) = outgoing.read()
    mail = _parse(raw)
    assert mail["Message-ID"] == EMAIL.message_id
    assert (mail["From"], mail["To"]) == (SENDER, EMAIL.to)
    assert mail["Subject"] == "Nouveau : « La neige au cinéma » Bcc: eve@reader.example"
    assert (mail["Bcc"], mail["X-Tournee-Delivery"], mail["Auto-Submitted"]) == (None, "7", "auto-generated")
    assert mail["Date"] is not None
    body = mail.get_body(("plain",))
    assert body is not None
    assert "Huit façons de faire tomber la neige." in body.get_content()


async def test_every_mail_of_ours_can_be_known_again(outgoing: Outgoing) -> None:
    await outgoing.mailer.send(EMAIL)
    (raw,) = outgoing.read()
    assert _parse(raw)["X-Loop"] == "tournee"


async def test_every_line_is_ascii_of_a_lawful_length(outgoing: Outgoing) -> None:
    await outgoing.mailer.send(EMAIL)
    (raw,) = outgoing.read()
    assert raw.isascii()
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    assert raw.count(b"\n") == raw.count(b"\r\n")


async def test_a_repeat_carries_the_same_message_id(outgoing: Outgoing) -> None:
    await outgoing.mailer.send(EMAIL)
    await outgoing.mailer.send(EMAIL)
    assert {_parse(raw)["Message-ID"] for raw in outgoing.read()} == {EMAIL.message_id}


async def test_many_at_once_are_all_handed_over(outgoing: Outgoing) -> None:
    mails = [Email(f"<{n}@tournee.example>", "ada@reader.example", f"Mail {n}", "Text\n") for n in range(20)]
    await asyncio.gather(*(outgoing.mailer.send(mail) for mail in mails))
    assert {str(_parse(raw)["Message-ID"]) for raw in outgoing.read()} == {mail.message_id for mail in mails}


@pytest.mark.parametrize("to", ["", "nobody", "a@b\r\nRCPT TO:<eve@reader.example>", "a@b.example, c@d.example"])
async def test_a_recipient_that_is_no_address_is_its_own_failure(to: str, outgoing: Outgoing) -> None:
    with pytest.raises(Rejected):
        await outgoing.mailer.send(Email("<1@tournee.example>", to, "s", "t"))
    assert outgoing.read() == []


async def test_the_outbox_holds_a_mail_once_however_often_it_is_sent(tmp_path: Path) -> None:
    mailer = OutboxMailer(tmp_path / "outbox", SENDER)
    await asyncio.gather(*(mailer.send(EMAIL) for _ in range(5)))
    await mailer.send(EMAIL)
    assert [path.name for path in (tmp_path / "outbox/new").iterdir()] == [name_file(EMAIL.message_id)]
    assert list((tmp_path / "outbox/tmp").iterdir()) == []


async def test_a_mail_that_was_read_does_not_come_back(tmp_path: Path) -> None:
    mailer = OutboxMailer(tmp_path / "outbox", SENDER)
    await mailer.send(EMAIL)
    name = name_file(EMAIL.message_id)
    (tmp_path / "outbox/new" / name).rename(tmp_path / "outbox/cur" / f"{name}:2,S")
    await mailer.send(EMAIL)
    assert list((tmp_path / "outbox/new").iterdir()) == []
    assert len(mailbox.Maildir(tmp_path / "outbox", create=False)) == 1


async def test_the_outbox_is_nobody_elses_business(tmp_path: Path) -> None:
    await OutboxMailer(tmp_path / "outbox", SENDER).send(EMAIL)
    for path in (tmp_path / "outbox", *(tmp_path / "outbox").rglob("*")):
        expected = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == expected, path


async def test_a_folder_that_cannot_be_written_is_an_outage(tmp_path: Path) -> None:
    (tmp_path / "outbox").write_text("a file where the folder should be")
    with pytest.raises(OutsideUnavailable) as caught:
        await OutboxMailer(tmp_path / "outbox", SENDER).send(EMAIL)
    assert caught.value.provider == "outbox"


def test_a_message_id_cannot_name_a_path() -> None:
    assert "/" not in name_file("<../../etc/passwd@x.example>")

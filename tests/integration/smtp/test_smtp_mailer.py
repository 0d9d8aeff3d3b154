"""The Mailer over SMTP against the sandbox's server: a real client, a real server, real sockets."""

from __future__ import annotations

import asyncio
import email
import email.policy
from collections.abc import AsyncIterator, Callable
from email.message import EmailMessage, MIMEPart
from pathlib import Path

import pytest

from tournee.integrations.smtp.connections import SmtpLimits
from tournee.integrations.smtp.mailer import SmtpMailer
from tournee.pipeline.ports import Email, OutsideUnavailable, Rejected
from tournee_sandbox.smtp.fault_plan import Fault
from tournee_sandbox.smtp.server import SmtpOptions, SmtpSimulator

SENDER = "Tournée <alerts@tournee.example>"
PATIENT = SmtpLimits(connections=1, connect_seconds=60, wait_seconds=60, send_seconds=60)
SHORT = SmtpLimits(connections=1, connect_seconds=2.0, wait_seconds=60, send_seconds=2.0)
"""For a server that does not answer at all."""

MakeMailer = Callable[..., SmtpMailer]


@pytest.fixture
async def simulator(tmp_path: Path) -> AsyncIterator[SmtpSimulator]:
    running = SmtpSimulator(tmp_path / "smtp", seed=1)
    await running.start()
    yield running
    await running.stop()


@pytest.fixture
async def make_mailer(simulator: SmtpSimulator) -> AsyncIterator[MakeMailer]:
    made: list[SmtpMailer] = []

    def make(limits: SmtpLimits | None = None, query: str = "", sender: str = SENDER) -> SmtpMailer:
        made.append(SmtpMailer(simulator.read_addresses()["url"] + query, sender, limits))
        return made[-1]

    yield make
    for mailer in made:
        await mailer.close()


def _email(number: int = 1, to: str = "ada@reader.example", **changes: object) -> Email:
    fields: dict[str, object] = {
        "message_id": f"<delivery-{number}@tournee.example>",
        "to": to,
        "subject": "Neu: Der Komet ist da – Überblick",
        "text": "Guten Morgen.\n.\nFrom here on: è, ß, 漢字\n",
    }
    return Email(**{**fields, **changes})  # type: ignore[arg-type]


def _read_only_mail(simulator: SmtpSimulator) -> EmailMessage:
    (mail,) = simulator.store.mails
    raw = (simulator.store.folder / mail.file).read_bytes()
    parsed = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(parsed, EmailMessage)
    return parsed


async def test_a_mail_arrives_as_it_was_meant(simulator: SmtpSimulator, make_mailer: MakeMailer) -> None:
    await make_mailer().send(_email(html="<p>Guten <b>Morgen</b></p>", headers={"X-Tournee-Delivery": "1"}))
    mail = _read_only_mail(simulator)
    assert mail["From"] == "Tournée <alerts@tournee.example>"
    assert mail["To"] == "ada@reader.example"
    assert mail["Subject"] == "Neu: Der Komet ist da – Überblick"
    assert mail["Message-ID"] == "<delivery-1@tournee.example>"
    assert mail["Date"].datetime.tzinfo is not None
    assert (mail["Auto-Submitted"], mail["X-Tournee-Delivery"], mail["Precedence"]) == ("auto-generated", "1", None)
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert html is not None
    assert _read_lines(text) == ["Guten Morgen.", ".", "From here on: è, ß, 漢字"]
    assert _read_lines(html) == ["<p>Guten <b>Morgen</b></p>"]
    assert simulator.store.mails[0].sender == "alerts@tournee.example"


async def test_a_repeat_keeps_its_message_id_and_is_counted(simulator: SmtpSimulator, make_mailer: MakeMailer) -> None:
    mailer = make_mailer()
    for number in (1, 2, 1):
        await mailer.send(_email(number))
    assert simulator.store.count_repeats() == {"<delivery-1@tournee.example>": 2}


async def test_one_connection_serves_many_mails(simulator: SmtpSimulator, make_mailer: MakeMailer) -> None:
    simulator.plan.put([Fault(kind="refuse", stage="connect", after=1)])
    mailer = make_mailer(SmtpLimits(connections=1))
    for number in range(5):
        await mailer.send(_email(number))
    assert len(simulator.store.mails) == 5


async def test_an_idle_connection_is_closed_and_the_next_mail_opens_another(
    simulator: SmtpSimulator, make_mailer: MakeMailer
) -> None:
    mailer = make_mailer(SmtpLimits(connections=1, idle_seconds=0.05))
    await mailer.send(_email(1))
    await asyncio.wait_for(_until(lambda: not simulator.count_connections()), 60)
    await mailer.send(_email(2))
    assert len(simulator.store.mails) == 2


async def test_a_connection_that_the_server_gave_up_is_replaced(
    simulator: SmtpSimulator, make_mailer: MakeMailer
) -> None:
    simulator.plan.put([Fault(kind="refuse", stage="mail", code=421, text="4.4.2 Idle too long", after=1, count=1)])
    mailer = make_mailer(SmtpLimits(connections=1))
    await mailer.send(_email(1))
    await mailer.send(_email(2))
    simulator.plan.put([Fault(kind="disconnect", stage="mail", count=1)])
    await mailer.send(_email(3))
    assert len(simulator.store.mails) == 3


async def test_twenty_at_once_all_arrive_once(simulator: SmtpSimulator, make_mailer: MakeMailer) -> None:
    mailer = make_mailer()
    await asyncio.gather(*(mailer.send(_email(number, f"r{number}@reader.example")) for number in range(20)))
    assert sorted(mail.recipients[0] for mail in simulator.store.mails) == sorted(
        f"r{number}@reader.example" for number in range(20)
    )
    assert simulator.store.count_repeats() == {}


OUTAGES = {
    "no greeting": Fault(kind="hang", stage="connect"),
    "cut at once": Fault(kind="disconnect", stage="connect"),
    "too busy": Fault(kind="refuse", stage="connect", code=421),
    "not for you": Fault(kind="refuse", stage="connect", code=554, text="5.7.1 No SMTP service here"),
    "sender refused": Fault(kind="refuse", stage="mail", code=550, text="5.7.1 Sender not allowed"),
    "login wanted": Fault(kind="refuse", stage="mail", code=530, text="5.7.0 Authentication required"),
    "greylisted": Fault(kind="refuse", stage="rcpt", code=450, text="4.2.0 Greylisted, come back"),
    "rate limited": Fault(kind="refuse", stage="rcpt", code=451, text="4.7.1 Too many messages"),
    "silence at recipient": Fault(kind="hang", stage="rcpt"),
    "cut at recipient": Fault(kind="disconnect", stage="rcpt"),
    "disk full": Fault(kind="refuse", stage="data", code=452, text="4.3.1 Insufficient storage"),
    "silence after the text": Fault(kind="hang", stage="data"),
    "cut after the text": Fault(kind="disconnect", stage="data"),
}
REFUSALS = {
    "too large": Fault(kind="refuse", stage="mail", code=552, text="5.3.4 Too large"),
    "no such user": Fault(kind="refuse", stage="rcpt", code=550, text="5.1.1 No such user"),
    "mailbox full for now": Fault(kind="refuse", stage="rcpt", code=452, text="4.2.2 Mailbox full"),
    "domain unknown for now": Fault(kind="refuse", stage="rcpt", code=450, text="4.1.2 Domain not found"),
    "looks like spam": Fault(kind="refuse", stage="data", code=554, text="5.7.1 Spam"),
}


@pytest.mark.parametrize("fault", OUTAGES.values(), ids=OUTAGES.keys())
async def test_an_outage_parks_the_job(fault: Fault, simulator: SmtpSimulator, make_mailer: MakeMailer) -> None:
    simulator.plan.put([fault])
    mailer = make_mailer(SHORT if fault.kind == "hang" else PATIENT)
    with pytest.raises(OutsideUnavailable) as caught:
        await mailer.send(_email())
    assert caught.value.provider == "smtp"
    simulator.plan.put([])
    await mailer.send(_email(2))
    assert simulator.store.mails[-1].message_id == "<delivery-2@tournee.example>"


@pytest.mark.parametrize("fault", REFUSALS.values(), ids=REFUSALS.keys())
async def test_a_refusal_of_one_mail_is_its_own_failure(
    fault: Fault, simulator: SmtpSimulator, make_mailer: MakeMailer
) -> None:
    simulator.plan.put([fault])
    mailer = make_mailer(PATIENT)
    with pytest.raises(Rejected, match=str(fault.code)):
        await mailer.send(_email())
    simulator.plan.put([])
    await mailer.send(_email(2))
    assert [mail.message_id for mail in simulator.store.mails] == ["<delivery-2@tournee.example>"]


async def test_a_mail_cut_off_after_the_text_is_known_as_a_repeat_when_it_comes_again(
    simulator: SmtpSimulator, make_mailer: MakeMailer
) -> None:
    simulator.plan.put([Fault(kind="disconnect", stage="data", count=1, stored=True)])
    mailer = make_mailer()
    with pytest.raises(OutsideUnavailable):
        await mailer.send(_email())
    await mailer.send(_email())
    assert simulator.store.count_repeats() == {"<delivery-1@tournee.example>": 2}


async def test_a_slow_server_is_waited_for(simulator: SmtpSimulator, make_mailer: MakeMailer) -> None:
    simulator.plan.put([Fault(kind="delay", stage=stage, seconds=0.05) for stage in ("connect", "rcpt", "data")])
    await make_mailer().send(_email())
    assert len(simulator.store.mails) == 1


async def test_who_waits_too_long_for_a_connection_is_parked(simulator: SmtpSimulator, make_mailer: MakeMailer) -> None:
    simulator.plan.put([Fault(kind="hang", stage="data", count=1)])
    mailer = make_mailer(SmtpLimits(connections=1, wait_seconds=0.1, send_seconds=1.0))
    outcomes = await asyncio.gather(*(mailer.send(_email(n)) for n in range(3)), return_exceptions=True)
    assert all(isinstance(outcome, OutsideUnavailable) for outcome in outcomes)
    assert sum("became free" in str(outcome) for outcome in outcomes) == 2


async def test_a_server_that_is_not_there_is_an_outage(simulator: SmtpSimulator, make_mailer: MakeMailer) -> None:
    mailer = make_mailer()
    await simulator.stop()
    with pytest.raises(OutsideUnavailable):
        await mailer.send(_email())


async def test_a_cancelled_send_leaves_no_half_used_connection(
    simulator: SmtpSimulator, make_mailer: MakeMailer
) -> None:
    simulator.plan.put([Fault(kind="hang", stage="data", count=1, stored=False)])
    mailer = make_mailer(SmtpLimits(connections=1))
    sending = asyncio.create_task(mailer.send(_email(1)))
    await asyncio.wait_for(_until(lambda: simulator.plan.read()[0]["taken"] == 1), 60)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    await mailer.send(_email(2))
    assert [mail.message_id for mail in simulator.store.mails] == ["<delivery-2@tournee.example>"]


@pytest.mark.parametrize(
    "to",
    [
        "",
        "nobody",
        "@reader.example",
        "ada@",
        "ada@reader.example\r\nRCPT TO:<eve@reader.example>",
        "ada@reader.example, eve@reader.example",
        "ada@reader.example> SIZE=1",
        "ada@reader.example\x00",
        "Ada <ada@reader.example>",
        "ada smith@reader.example",
        f"{'a' * 400}@reader.example",
        "ada@" + "ü" * 80 + ".example",
    ],
)
async def test_what_is_no_address_is_refused_before_anything_is_sent(
    to: str, simulator: SmtpSimulator, make_mailer: MakeMailer
) -> None:
    with pytest.raises(Rejected):
        await make_mailer().send(_email(to=to))
    assert simulator.store.mails == []


async def test_a_subject_cannot_add_a_header_or_a_recipient(simulator: SmtpSimulator, make_mailer: MakeMailer) -> None:
    hostile = "Hello\r\nBcc: eve@reader.example\n\nBody\x00\u2028\ud800"
    await make_mailer().send(_email(subject=hostile, headers={"X-Why": "a\r\nReply-To: eve@reader.example"}))
    mail = _read_only_mail(simulator)
    assert mail["Bcc"] is mail["Reply-To"] is None
    assert mail["Subject"].startswith("Hello Bcc: eve@reader.example Body")
    assert simulator.store.mails[0].recipients == ["ada@reader.example"]


@pytest.mark.parametrize("name", ["Bcc", "to", "Content-Type", "X-A\r\nB", "X A", "X:", "", "Resent-To", "Message-ID"])
async def test_a_header_that_is_not_the_callers_is_refused(
    name: str, simulator: SmtpSimulator, make_mailer: MakeMailer
) -> None:
    with pytest.raises(ValueError, match="header"):
        await make_mailer().send(_email(headers={name: "x"}))
    assert simulator.store.mails == []


@pytest.mark.parametrize("message_id", ["", "x@y", "<x>", "<a b@y>", "<a@y>\r\nX: 1", "<é@y.example>"])
async def test_a_malformed_message_id_is_refused(message_id: str, make_mailer: MakeMailer) -> None:
    with pytest.raises(ValueError, match="Message-ID"):
        await make_mailer().send(_email(message_id=message_id))


async def test_a_long_address_in_a_header_stays_whole(simulator: SmtpSimulator, make_mailer: MakeMailer) -> None:
    link = f"<https://tournee.example/unsubscribe/{'t' * 300}>"
    await make_mailer().send(_email(headers={"List-Unsubscribe": link}))
    (mail,) = simulator.store.mails
    assert f"List-Unsubscribe: {link}\r\n".encode() in (simulator.store.folder / mail.file).read_bytes()


async def test_an_address_outside_ascii_goes_by_smtputf8(simulator: SmtpSimulator, make_mailer: MakeMailer) -> None:
    await make_mailer().send(_email(to="zoë@bücher.example"))
    assert simulator.store.mails[0].recipients == ["zoë@xn--bcher-kva.example"]


async def test_an_address_outside_ascii_is_refused_where_the_server_cannot(tmp_path: Path) -> None:
    simulator = SmtpSimulator(tmp_path / "old", seed=1, options=SmtpOptions(smtputf8=False))
    await simulator.start()
    mailer = SmtpMailer(simulator.read_addresses()["url"], SENDER)
    try:
        await mailer.send(_email(to="ada@bücher.example"))
        with pytest.raises(Rejected, match="ASCII"):
            await mailer.send(_email(to="zoë@reader.example"))
    finally:
        await mailer.close()
        await simulator.stop()
    assert [mail.recipients for mail in simulator.store.mails] == [["ada@xn--bcher-kva.example"]]


@pytest.mark.parametrize("text", ["x" * 5000, "\x00\r\r\n\ud800", "", "." * 80 + "\n.\n..\n", "漢" * 3000])
async def test_any_text_can_be_sent(text: str, simulator: SmtpSimulator, make_mailer: MakeMailer) -> None:
    await make_mailer().send(_email(text=text, html=f"<p>{text}</p>"))
    body = _read_only_mail(simulator).get_body(("plain",))
    assert body is not None
    kept = text.replace("\x00", "").replace("\r\n", "\n").replace("\r", "\n").replace("\ud800", "?")
    assert "\n".join(_read_lines(body)) == kept.rstrip("\n")


@pytest.mark.parametrize("sender", ["", "Nobody", "a@", "@b", "a b@c.example", "ü@b.example"])
def test_a_sender_that_is_no_address_fails_at_the_start(sender: str) -> None:
    with pytest.raises(ValueError, match="sender"):
        SmtpMailer("smtp://127.0.0.1", sender)


def _read_lines(part: MIMEPart) -> list[str]:
    """As on the wire each line ends in CRLF and none in anything else."""
    content: str = part.get_content()
    assert content.count("\n") == content.count("\r") == content.count("\r\n")
    return content.rstrip("\r\n").split("\r\n")


async def _until(happened: Callable[[], bool]) -> None:
    """For what the server's side of a socket shows a moment later and tells by no event."""
    while not happened():  # noqa: ASYNC110 - there is no event to wait for
        await asyncio.sleep(0.01)

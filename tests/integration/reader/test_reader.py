"""The content reader: any message is answered, none harms the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.cpu_work import crash, doze, list_modules
from tests.support.mails import make_mail, read_corpus
from tournee.integrations.local.cpu_pool import CpuOverloaded, CpuPool, CpuPoolConfig
from tournee.integrations.local.reader import LocalReader
from tournee.integrations.local.warming import SAMPLES, warm_up, write_sample
from tournee.pipeline.core.mail.reading import read_mail
from tournee.pipeline.ports import ContentReader, MessageClass

QUADRATIC = (
    b"From: a@example.org\nContent-Type: text/html\n\n<a title='>' "
    + b"".join(b"x%d=1 " % number for number in range(100_000))
    + b">x"
)
"""A page that the HTML parser chews on for minutes."""


@pytest.fixture
async def reader() -> AsyncIterator[LocalReader]:
    reader = LocalReader()
    yield reader
    await reader.close()


async def test_a_message_is_read_as_in_the_same_process(reader: LocalReader) -> None:
    keeps_the_port: ContentReader = reader
    raw = make_mail("Hi Bob,\n\nsee you at 8.\n\nAnna", Subject="dinner")
    assert await keeps_the_port.read(raw) == read_mail(raw)


@pytest.mark.usefixtures("patient")
async def test_a_message_that_takes_too_long_is_unparsable_and_its_neighbours_are_read(pool: CpuPool) -> None:
    reader = LocalReader(pool, timeout_seconds=1)
    mails = await asyncio.gather(reader.read(QUADRATIC), *(reader.read(make_mail(f"hi {n}")) for n in range(6)))
    assert mails[0].message_class is MessageClass.UNPARSABLE
    assert mails[0].notes == ("reading it took more than 1 s",)
    assert all(mail.message_class is MessageClass.OTHER for mail in mails[1:])


async def test_a_message_that_kills_its_process_is_unparsable(
    reader: LocalReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tournee.integrations.local.reader.read_mail", _crash_on)
    mail = await reader.read(make_mail("hi"))
    assert mail.message_class is MessageClass.UNPARSABLE
    assert "killed its process" in mail.notes[0]


async def test_a_message_of_the_largest_size_is_read(reader: LocalReader) -> None:
    raw = make_mail("lorem ipsum dolor sit amet\n" * 1_900_000)
    mail = await reader.read(raw[: 50 << 20])
    assert mail.message_class is MessageClass.OTHER
    assert "body cut at 4 MiB" in mail.notes


async def test_a_message_above_the_limit_is_unparsable(reader: LocalReader) -> None:
    mail = await reader.read(make_mail("x" * (50 << 20)))
    assert (mail.message_class, mail.notes) == (MessageClass.UNPARSABLE, ("larger than 50 MiB",))


async def test_the_corpus_is_read_by_the_pool_as_in_one_process(reader: LocalReader, corpus: Path) -> None:
    mails = [mail for mail in read_corpus(corpus) if mail.is_raw][::12]
    read = await asyncio.gather(*(reader.read(mail.raw) for mail in mails))
    assert read == [mail.read for mail in mails]


@pytest.fixture
async def pool() -> AsyncIterator[CpuPool]:
    pool = CpuPool()
    yield pool
    await pool.close()


def _crash_on(_: bytes) -> None:
    crash()


async def test_a_machine_that_is_too_busy_makes_no_message_unparsable() -> None:
    pool = CpuPool(CpuPoolConfig(workers=1, warm_up=doze, start_seconds=0.1))
    try:
        with pytest.raises(CpuOverloaded):
            await LocalReader(pool).read(make_mail("hi"))
    finally:
        await pool.close()


async def test_a_process_that_was_warmed_up_has_loaded_parser_stemmer_and_model() -> None:
    pool = CpuPool(CpuPoolConfig(workers=1, warm_up=warm_up))
    try:
        assert {"selectolax.lexbor", "snowballstemmer", "py3langid.langid"} <= await pool.run(list_modules)
    finally:
        await pool.close()


def test_the_samples_for_warming_up_are_newsletters() -> None:
    mails = [read_mail(write_sample(text)) for text in SAMPLES.values()]
    assert [mail.message_class for mail in mails] == [MessageClass.NEWSLETTER] * 3
    assert [mail.language for mail in mails] == list(SAMPLES)

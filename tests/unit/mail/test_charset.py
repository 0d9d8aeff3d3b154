"""Bytes beyond ASCII are read as what they were written in, also where nothing says so."""

from __future__ import annotations

import pytest

from tournee.pipeline.core.mail.characters import decode_bytes
from tournee.pipeline.core.mail.charset import guess_codec
from tournee.pipeline.core.mail.reading import examine_mail

CHINESE = "本周的通讯：我们的新图书馆将于星期六开放，读者可以在这里借阅小说和诗歌。"
TAIWANESE = "本週的通訊：我們的新圖書館將於星期六開放，讀者可以在這裡借閱小說和詩歌。"
JAPANESE = "今週のニュースレター：新しい図書館は土曜日に開館します。小説や詩を借りることができます。"
KOREAN = "이번 주 소식지: 새로운 도서관이 토요일에 문을 엽니다. 독자들은 소설과 시를 빌릴 수 있습니다."
RUSSIAN = "В этом выпуске: новая библиотека откроется в субботу. Читатели смогут брать романы и стихи."
GREEK = "Αυτή την εβδομάδα: η νέα βιβλιοθήκη θα ανοίξει το Σάββατο για όλους τους αναγνώστες."
POLISH = (
    "W tym tygodniu: nowa biblioteka zostanie otwarta w sobotę, a czytelnicy będą mogli wypożyczać powieści i książki. "
    "Proszę przesłać ten list znajomym, żeby też się dowiedzieli."
)
FOREIGN = [
    (CHINESE, "gb18030"),
    (TAIWANESE, "big5"),
    (JAPANESE, "shift_jis"),
    (JAPANESE, "euc_jp"),
    (KOREAN, "euc_kr"),
    (RUSSIAN, "koi8-r"),
    (RUSSIAN, "cp1251"),
    (RUSSIAN, "iso8859-5"),
    (GREEK, "iso8859-7"),
]
WESTERN = [
    "José",
    "Müller & Söhne",
    "Ça commence à Genève, place de l’Hôtel-de-Ville, près du théâtre.",
    "Die neue Bücherei öffnet am Samstag – für alle über zwölf Jahre. Schöne Grüße aus der größten Straße!",
    "smart ‘quotes’ and – dashes, “we can’t wait,” and a café for £2.50",
    "50 ° – 60 °",
]


def build_mail(body: bytes, content_type: str = "", subject: bytes = b"hello") -> bytes:
    fields = b"From: a@example.org\r\nSubject: " + subject + b"\r\n"
    return fields + (f"Content-Type: {content_type}\r\n" if content_type else "").encode() + b"\r\n" + body


@pytest.mark.parametrize(("text", "codec"), FOREIGN)
@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "text/plain; charset=us-ascii", "text/plain; charset=x-none"]
)
def test_text_without_a_charset_is_read_in_the_one_it_looks_like(text: str, codec: str, content_type: str) -> None:
    assert examine_mail(build_mail(text.encode(codec), content_type)).text == text


@pytest.mark.parametrize(("text", "codec"), FOREIGN)
def test_a_page_among_ascii_markup_is_recognised(text: str, codec: str) -> None:
    page = f'<html><body bgcolor="#ffffff"><table width="100%"><tr><td><p>{text}</p></td></tr></table></body></html>'
    assert examine_mail(build_mail(page.encode(codec), "text/html")).text == text


@pytest.mark.parametrize(("text", "codec"), FOREIGN)
def test_a_latin_charset_is_not_believed_of_text_in_another_script(text: str, codec: str) -> None:
    assert examine_mail(build_mail(text.encode(codec), "text/plain; charset=iso-8859-1")).text == text


@pytest.mark.parametrize(("text", "codec"), [(RUSSIAN, "koi8-r"), (JAPANESE, "euc_jp"), (KOREAN, "euc_kr")])
def test_a_declared_charset_that_fits_decides(text: str, codec: str) -> None:
    assert examine_mail(build_mail(text.encode(codec), f"text/plain; charset={codec}")).text == text


def test_utf8_that_claims_to_be_latin_is_read_as_utf8() -> None:
    text = "L’été sera chaud à Genève, même près du théâtre."
    assert examine_mail(build_mail(text.encode(), "text/plain; charset=iso-8859-1")).text == text


def test_two_bytes_prove_nothing_against_a_declared_latin_charset() -> None:
    assert decode_bytes(b"\xc3\x89", "iso-8859-1", lambda _: None) == "Ã‰"


@pytest.mark.parametrize("text", WESTERN)
@pytest.mark.parametrize("charset", [None, "iso-8859-1", "us-ascii", "unknown-8bit"])
def test_western_text_stays_western(text: str, charset: str | None) -> None:
    assert decode_bytes(text.encode("cp1252"), charset, lambda _: None) == text


def test_a_ruler_of_one_byte_is_no_foreign_script() -> None:
    data = ("─" * 5).encode("cp866") * 12 + b"\nRegards, Andr\xe9\n"
    assert guess_codec(data) == "cp1252"


def test_central_european_text_of_some_length_is_told_from_western() -> None:
    assert decode_bytes(POLISH.encode("cp1250"), None, lambda _: None) == POLISH
    assert decode_bytes(POLISH.encode("iso8859-2"), None, lambda _: None) == POLISH


@pytest.mark.parametrize("charset", [None, "us-ascii", "utf-8"])
def test_escape_sequences_of_japanese_mail_are_read_without_a_header(charset: str | None) -> None:
    assert decode_bytes(JAPANESE.encode("iso2022_jp"), charset, lambda _: None) == JAPANESE


def test_escape_sequences_of_a_terminal_are_no_charset() -> None:
    assert decode_bytes(b"\x1b[1mbold\x1b[0m", None, lambda _: None) == "[1mbold[0m"


@pytest.mark.parametrize("codec", ["utf-16", "utf-8-sig", "utf-32"])
def test_a_byte_order_mark_decides(codec: str) -> None:
    assert decode_bytes(RUSSIAN.encode(codec), "iso-8859-1", lambda _: None) == RUSSIAN


def test_the_page_s_own_charset_is_heard_where_the_header_s_says_nothing() -> None:
    page = f'<html><head><meta charset="koi8-r"></head><body><p>Привет</p>{"<p>news</p>" * 3}</body></html>'
    assert "Привет" in examine_mail(build_mail(page.encode("koi8-r"), "text/html; charset=us-ascii")).text


@pytest.mark.parametrize("codec", ["koi8-r", "cp1251", "gb18030", "big5", "shift_jis", "euc_kr"])
def test_a_subject_in_raw_bytes_is_read_like_the_body_s_charset(codec: str) -> None:
    subject = {"k": "Новости", "c": "Новости", "g": "新闻", "b": "新聞", "s": "ニュース", "e": "소식지"}[codec[0]]
    raw = build_mail(b"hello", f'text/plain; charset="{codec}"', subject.encode(codec))
    assert examine_mail(raw).subject == subject


def test_a_subject_in_raw_bytes_is_recognised_without_any_charset() -> None:
    assert examine_mail(build_mail(b"hello", "", RUSSIAN.encode("koi8-r"))).subject == RUSSIAN


def test_a_subject_in_utf8_stays_so_whatever_the_body_s_charset() -> None:
    assert examine_mail(build_mail(b"hello", "text/plain; charset=iso-8859-1", "Café".encode())).subject == "Café"


def test_only_the_beginning_of_long_bytes_is_weighed() -> None:
    text = RUSSIAN * 20_000
    assert decode_bytes(text.encode("koi8-r"), None, lambda _: None) == text

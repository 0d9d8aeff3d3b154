"""What is seen of a page, and what is kept of it for reading."""

from __future__ import annotations

import pytest

from tournee.pipeline.core.mail.page import read_page
from tournee.pipeline.core.mail.sanitising import sanitise_page, wrap_plain_text


@pytest.mark.parametrize(
    "hidden",
    [
        '<div style="display:none">HIDDEN</div>',
        '<div style="DISPLAY : none !important">HIDDEN</div>',
        '<span style="visibility: hidden">HIDDEN</span>',
        '<span style="font-size:0">HIDDEN</span>',
        '<span style="font-size:1px;line-height:1px">HIDDEN</span>',
        '<div style="mso-hide:all">HIDDEN</div>',
        '<div style="max-height:0;overflow:hidden">HIDDEN</div>',
        '<div style="opacity:0">HIDDEN</div>',
        "<p hidden>HIDDEN</p>",
        "<style>.pre{display:none}</style><div class='a pre'>HIDDEN</div>",
        "<script>HIDDEN</script>",
        "<noscript>HIDDEN</noscript>",
        "<title>HIDDEN</title>",
        "<!-- HIDDEN -->",
        "<!--[if mso]><p>HIDDEN</p><![endif]-->",
        '<div style="display:none"><div><p>HIDDEN</p></div></div>',
    ],
)
def test_what_is_hidden_is_neither_read_nor_kept(hidden: str) -> None:
    page = read_page(f"<body><p>before</p>{hidden}<p>after</p></body>")
    assert "HIDDEN" not in page.text
    assert [line for line in page.text.split("\n") if line] == ["before", "after"]


@pytest.mark.parametrize(
    "shown",
    [
        '<td style="font-size:0"><span style="font-size:14px">SHOWN</span></td>',
        '<div style="max-height:200px">SHOWN</div>',
        '<div style="opacity:0.9">SHOWN</div>',
        "<style>@media (max-width:600px){.wide{display:none}}</style><div class='wide'>SHOWN</div>",
        "<!--[if !mso]><!--><p>SHOWN</p><!--<![endif]-->",
        '<div style="line-height:0">SHOWN</div>',
    ],
)
def test_what_only_looks_hidden_is_read(shown: str) -> None:
    assert "SHOWN" in read_page(f"<table><tr>{shown}</tr></table>").text


def test_invisible_characters_are_taken_out() -> None:
    assert read_page("<p>a\u200b\u034f\u00ad\u2060b&zwnj;&#847;&shy;c\u00a0d</p>").text == "abc d"


def test_an_emoji_made_of_several_stays_whole() -> None:
    assert read_page("<p>\U0001f469\u200d\U0001f4bb</p>").text == "\U0001f469\u200d\U0001f4bb"


def test_blocks_are_lines() -> None:
    page = read_page("<h1>Title</h1><p>One<br>two</p><ul><li>a</li><li>b</li></ul><div>c <b>d</b></div>")
    assert page.text == "Title\n\nOne\ntwo\n\na\n\nb\n\nc d"


def test_links_come_in_order_with_their_text() -> None:
    page = read_page('<a href="https://example.org/a">one <b>two</b></a> <a href="https://example.org/b"><img></a>')
    assert [(link.url, link.text) for link in page.links] == [
        ("https://example.org/a", "one two"),
        ("https://example.org/b", ""),
    ]


def test_pictures_speak_for_a_page_without_text() -> None:
    page = read_page('<img src="https://example.org/a.png" alt="Spring offers" width="600" height="400">')
    assert page.text == "Spring offers"


@pytest.mark.parametrize(
    "pixel",
    [
        '<img src="https://example.org/p" width="1" height="1">',
        '<img src="https://example.org/p.gif" style="width:1px;height:1px">',
        '<img src="https://example.org/o/abc123" alt="">',
        '<img src="https://example.org/wf/open?u=1">',
        '<img src="https://example.org/p.png" width="0" height="0">',
    ],
)
def test_counting_pixels_are_dropped(pixel: str) -> None:
    page = read_page(f"<p>text</p>{pixel}")
    assert page.counting_pixels == 1
    assert page.tree is not None
    assert "<img" not in sanitise_page(page.tree.html or "")


def test_a_sanitised_page_can_do_nothing() -> None:
    html = sanitise_page(
        "<script>alert(1)</script><p onclick=alert(1) style='x:expression(1)'>hello</p><form action=x><input></form>"
        "<iframe src=x></iframe><a href='javascript:alert(1)'>a</a><a href='https://example.org/'>b</a>"
        "<img src='cid:1'><img src='https://example.org/a.png' onerror=alert(1)><svg onload=alert(1)></svg>"
        "<meta http-equiv=refresh content='0;url=https://example.org'><base href='https://example.org'>"
    )
    assert "hello" in html
    for word in ("script", "onclick", "style", "form", "input", "iframe", "cid:", "onerror", "svg", "meta", "base"):
        assert word not in html
    assert 'rel="noopener noreferrer"' in html
    assert 'target="_blank"' in html
    assert "https://example.org/a.png" in html


def test_plain_text_is_escaped_and_its_addresses_are_links() -> None:
    html = wrap_plain_text("a <b> & c\nsee https://example.org/x?a=1&b=2.\n\nend")
    assert "a &lt;b&gt; &amp; c<br>" in html
    assert 'href="https://example.org/x?a=1&amp;b=2"' in html
    assert html.count("<p>") == 2

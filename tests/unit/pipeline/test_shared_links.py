"""Key links are stored without what is one reader's, and shown as each reader's own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tournee.pipeline.core.shared_links import resolve_key_links, share_key_links, share_url, share_urls_in
from tournee.pipeline.ports import KeyLink, Link

NAMES = ("intro", "prices", "wages")


def links_of(reader: str) -> list[Link]:
    """Tracked links: nothing but their place tells them apart without the reader's token."""
    return [Link(f"https://click.example/ls/{reader}Xq81ZaP0?u={reader}&to={name}", name) for name in NAMES]


def test_each_reader_follows_the_own_link_to_the_same_place() -> None:
    alice, bruno = links_of("alice"), links_of("bruno")
    stored = share_key_links([KeyLink(alice[2].url, "Wages"), KeyLink(alice[1].url, "Prices")], alice)
    assert "alice" not in repr(stored)
    assert [link.url for link in resolve_key_links(stored, bruno)] == [bruno[2].url, bruno[1].url]
    assert [link.why for link in resolve_key_links(stored, bruno)] == ["Wages", "Prices"]


def test_a_link_that_the_readers_copy_lacks_is_shown_as_it_is_stored() -> None:
    stored = [KeyLink("https://e.example/a", "why", place=1)]
    assert resolve_key_links(stored, [Link("https://e.example/a?x=1")]) == tuple(stored)
    assert resolve_key_links(stored, []) == tuple(stored)


def test_no_token_number_query_or_user_is_kept() -> None:
    url = "https://bob:secret@e.example/News/c/8f3aZ0q/1234567/prices?u=bob#bob"
    assert share_url(url) == "https://e.example/news/c/prices"
    assert share_urls_in(f"See {url} now") == "See https://e.example/news/c/prices now"


@given(st.text(alphabet="abcXYZ019-_./%?#@:=&é ", max_size=40))
def test_what_is_shared_is_shared_already(tail: str) -> None:
    shared = share_url("http://e.example/" + tail)
    assert share_url(shared) == shared

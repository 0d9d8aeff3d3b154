"""An issue as the text and the HTML that one reader gets.

What is personal stands where senders put it: the greeting, the address in the imprint, tokens in every link, the
tracking pixel. Everything else is the same for all readers of an issue, to the letter.
"""

from __future__ import annotations

import hashlib
import textwrap
from dataclasses import dataclass
from html import escape

from tournee_sandbox.mailbox.content_loader import Issue, Item
from tournee_sandbox.mailbox.people import Person
from tournee_sandbox.mailbox.wording import WORDING, Wording


@dataclass(frozen=True, slots=True)
class Copy:
    """One issue for one reader."""

    issue: Issue
    reader: Person
    seed: int

    def token(self, purpose: str) -> str:
        """What only this reader's links hold."""
        material = f"{self.seed}:{self.issue.key}:{self.reader.key}:{purpose}"
        return hashlib.sha256(material.encode()).hexdigest()[:24]

    def link(self, item: Item) -> str:
        number = self.issue.number
        return f"https://{self.issue.publisher.host}/{number}/{item.link}?s={self.token(item.link)}&utm_source=mail"

    def link_to(self, page: str) -> str:
        return f"https://{self.issue.publisher.host}/{page}?r={self.token(page)}"

    @property
    def greeting(self) -> str:
        return self.issue.publisher.greeting.format(name=self.reader.first_name)

    @property
    def wording(self) -> Wording:
        return WORDING[self.issue.publisher.language]

    @property
    def sent_to(self) -> str:
        return self.wording.sent_to.format(address=self.reader.address)


def render_text(copy: Copy) -> str:
    """The plain text, as this publisher lays it out."""
    layouts = {"plain": _lay_out_plain, "markdown": _lay_out_markdown}
    return layouts.get(copy.issue.publisher.layout, _lay_out_text_part)(copy)


def render_html(copy: Copy) -> str:
    """The HTML, as this publisher lays it out."""
    layouts = {"table": _lay_out_table, "digest": _lay_out_list}
    return layouts.get(copy.issue.publisher.layout, _lay_out_letter)(copy)


def _lay_out_plain(copy: Copy) -> str:
    issue, blocks = copy.issue, []
    blocks.append(f"{issue.publisher.name.upper()}  #{issue.number}\n{'=' * 60}")
    blocks += [copy.greeting, _wrap(issue.intro)]
    for item in issue.items:
        blocks.append(f"{item.title}\n{'-' * min(len(item.title), 60)}\n{_wrap(item.text)}\n-> {copy.link(item)}")
    blocks.append(issue.publisher.closing)
    blocks.append(_text_footer(copy))
    return "\n\n".join(blocks) + "\n"


def _lay_out_markdown(copy: Copy) -> str:
    issue = copy.issue
    blocks = [f"# {issue.subject}", f"{issue.publisher.name}, no. {issue.number}", copy.greeting, f"*{issue.intro}*"]
    for number, item in enumerate(issue.items, start=1):
        blocks.append(f"## {item.title}\n\n{_wrap(item.text)} [{copy.wording.read_on}][{number}]")
    blocks += ["* * *", issue.publisher.closing]
    blocks.append("\n".join(f"[{number}]: {copy.link(item)}" for number, item in enumerate(issue.items, start=1)))
    blocks.append(_text_footer(copy))
    return "\n\n".join(blocks) + "\n"


def _lay_out_text_part(copy: Copy) -> str:
    issue = copy.issue
    blocks = [f"{copy.wording.browser}: {copy.link_to('web')}", copy.greeting, _wrap(issue.intro)]
    blocks += [f"* {item.title}\n\n{_wrap(item.text)}\n{copy.link(item)}" for item in issue.items]
    blocks += [issue.publisher.closing, _text_footer(copy)]
    return "\n\n".join(blocks) + "\n"


def _text_footer(copy: Copy) -> str:
    footer = ["_" * 40, copy.issue.publisher.imprint, copy.sent_to]
    footer.append(f"{copy.wording.unsubscribe}: {copy.link_to('unsubscribe')}")
    return "\n".join(footer)


def _wrap(text: str) -> str:
    return textwrap.fill(text, 72, break_long_words=False, break_on_hyphens=False)


def _lay_out_letter(copy: Copy) -> str:
    issue = copy.issue
    stories = "\n".join(
        f'<h2>{escape(item.title)}</h2>\n<p>{escape(item.text)} <a href="{escape(copy.link(item))}">'
        f"{copy.wording.read_on}</a></p>"
        for item in issue.items
    )
    closing = "<br>".join(escape(line) for line in issue.publisher.closing.split("\n"))
    return _page(
        copy,
        f"<p>{escape(copy.greeting)}</p>\n<p>{escape(issue.intro)}</p>\n{stories}\n<p>{closing}</p>\n<hr>\n"
        f"<p><small>{_html_footer(copy)}</small></p>\n{_pixel(copy)}",
    )


def _lay_out_list(copy: Copy) -> str:
    issue = copy.issue
    entries = "\n".join(
        f'<li><a href="{escape(copy.link(item))}"><b>{escape(item.title)}</b></a><br>{escape(item.text)}</li>'
        for item in issue.items
    )
    return _page(
        copy,
        f"<h1>{escape(issue.subject)}</h1>\n<p>{escape(copy.greeting)} {escape(issue.intro)}</p>\n<ol>\n{entries}\n"
        f"</ol>\n<p>{escape(issue.publisher.closing)}</p>\n<footer>{_html_footer(copy)}</footer>\n{_pixel(copy)}",
    )


def _lay_out_table(copy: Copy) -> str:
    """Tables in tables, a hidden preheader, inline styles: how mail still looks."""
    issue = copy.issue
    font = "font-family:Georgia,serif;font-size:16px;line-height:24px;color:#222222"
    rows = "\n".join(
        f'<tr><td style="padding:18px 24px;{font}"><table role="presentation" width="100%"><tr><td>'
        f'<span style="font-size:21px;font-weight:bold">{escape(item.title)}</span></td></tr><tr><td style="{font}">'
        f'{escape(item.text)}</td></tr><tr><td><a href="{escape(copy.link(item))}" style="color:#9a3412">'
        f"{copy.wording.read_on} &rarr;</a></td></tr></table></td></tr>"
        for item in issue.items
    )
    preheader = f'<div style="display:none;max-height:0;overflow:hidden">{escape(issue.items[0].title)} &zwnj;</div>'
    return _page(
        copy,
        f'{preheader}\n<table role="presentation" width="100%" bgcolor="#f4f1ea"><tr><td align="center">\n'
        f'<table role="presentation" width="600" bgcolor="#ffffff">\n<tr><td align="right" style="font-size:12px">'
        f'<a href="{escape(copy.link_to("web"))}">{copy.wording.browser}</a></td></tr>\n'
        f'<tr><td style="padding:24px"><img src="https://{issue.publisher.host}/logo.png" width="180" alt="'
        f'{escape(issue.publisher.name)}"><h1>{escape(issue.subject)}</h1></td></tr>\n'
        f'<tr><td style="padding:0 24px;{font}">{escape(copy.greeting)}<br><br>{escape(issue.intro)}</td></tr>\n'
        f"{rows}\n"
        f'<tr><td style="padding:24px;{font}"><i>{escape(issue.publisher.closing)}</i></td></tr>\n'
        f'<tr><td style="padding:24px;font-size:12px;color:#777777">{_html_footer(copy)}</td></tr>\n'
        f"</table>\n</td></tr></table>\n{_pixel(copy)}",
    )


def _html_footer(copy: Copy) -> str:
    return (
        f"{escape(copy.issue.publisher.imprint)}<br>{escape(copy.sent_to)}<br>"
        f'<a href="{escape(copy.link_to("unsubscribe"))}">{copy.wording.unsubscribe}</a> | '
        f'<a href="{escape(copy.link_to("preferences"))}">{copy.wording.preferences}</a>'
    )


def _pixel(copy: Copy) -> str:
    source = f"https://{copy.issue.publisher.host}/o/{copy.token('pixel')}.gif"
    return f'<img src="{source}" width="1" height="1" alt="">'


def _page(copy: Copy, body: str) -> str:
    language = copy.issue.publisher.language
    title = escape(copy.issue.subject)
    charset = copy.issue.publisher.charset
    return (
        f'<!DOCTYPE html>\n<html lang="{language}">\n<head><meta http-equiv="Content-Type" content="text/html; '
        f'charset={charset}">\n<title>{title}</title></head>\n<body>\n{body}\n</body>\n</html>\n'
    )

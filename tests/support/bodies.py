"""The corpus' bodies without mail headers (Markdown, WML, HTML), wrapped into the barest MIME a sender could write.

From, To, Subject and a content type, nothing else: what is recognised then is recognised by its content.
"""

from __future__ import annotations

import email.message
import email.policy
import re

_WML_DIRECTIVE = re.compile(r"^(?:#use|#include|##?).*$", re.M)
_WML_VARIABLE = re.compile(r"\$\(HOME\)")
_FRONT_MATTER = re.compile(r"\A(?:(?:@?[A-Za-z]+ ?[:=] ?.*)\n)+")
_TITLE = re.compile(r"^@?title ?[:=] ?['\"]?(.*?)['\"]?$", re.I | re.M)


def wrap_body(data: bytes, name: str, subject: str | None = None, as_html: bool | None = None) -> bytes:
    """A whole mail with `data` as its only part. `subject`: the body's own title when None, else as given."""
    text = data.decode("utf-8", "replace")
    is_html = as_html if as_html is not None else name.endswith((".wml", ".html"))
    if name.endswith(".wml"):
        text = _WML_VARIABLE.sub("https://www.example.org", _WML_DIRECTIVE.sub("", text))
    title = _TITLE.search(text[:500])
    if name.endswith((".md", ".markdown")):
        text = _FRONT_MATTER.sub("", text)
    message = email.message.EmailMessage(policy=email.policy.SMTP)
    message["From"] = "sender@example.org"
    message["To"] = "reader@example.org"
    wanted = subject if subject is not None else (title[1] if title else name.rsplit("/", 1)[-1])
    message["Subject"] = " ".join(wanted.split())
    message.set_content(text, subtype="html" if is_html else "plain", cte="base64")
    return message.as_bytes()

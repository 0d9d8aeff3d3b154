"""What must not be in a log, nor leave in an alert: passwords, tokens, signatures, addresses of people.

Works on keys (a value under `refresh_token` is hidden whatever it is) and on texts (a password inside a URL inside an
exception's words). It rather hides too much than too little. Every pattern is bounded, so that the time grows with the
length of the text only, and texts are cut to a bound before.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any

HIDDEN = "[redacted]"
HIDDEN_ADDRESS = "[e-mail]"
LONGEST_TEXT = 16_384
LONGEST_WORD = 2_048
"""A text is cut before a word of this length at most, because half of a secret is not recognised."""
LONGEST_NAME = 120
ELLIPSIS = "…"
DEEPEST = 6
MOST_ITEMS = 100

_SECRET_KEY = re.compile(
    r"passw|pwd|secret|token(?!s)|authori[sz]ation|cookie|credential|signature|whsec|(?:api|access|private|signing|encryption)key",
    re.IGNORECASE,
)
_ADDRESS_KEY = re.compile(r"(?:^|[_-])e?mail(?:_?address)?$|^(?:to|from|cc|bcc|recipients?|sender)$", re.IGNORECASE)
_JOINTS = re.compile(r"[\s_.-]")

_NAMES = (
    r"passw(?:or)?d|passwd|pwd|passphrase|secret|token(?!s)|api[_-]?key|access[_-]?key|private[_-]?key|credentials?"
    r"|signature"
)
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----.{0,20000}?(?:-----END [A-Z ]{0,30}-----|\Z)", re.DOTALL),
        HIDDEN,
    ),
    # Up to the last @ before a space: a password may hold any sign, also those that should have been encoded.
    (re.compile(r"(\b[a-z][a-z0-9+.-]{1,20}://)[^\s\"'<>]{1,512}@", re.IGNORECASE), rf"\1{HIDDEN}@"),
    # The slashes may be escaped, as in JSON, or encoded, as in another address.
    (re.compile(r"(webhooks(?:\\{0,2}/|%2F)\d{1,20}(?:\\{0,2}/|%2F))[\w-]{1,200}", re.IGNORECASE), rf"\1{HIDDEN}"),
    (re.compile(r"(hooks\.slack\.com/services/)[\w/]{1,200}"), rf"\1{HIDDEN}"),
    (
        re.compile(
            r"((?:proxy-)?authorization|x-api-key|x-auth-token)(\\{0,2}['\"]?\s{0,3}[:=,]\s{0,3}(?:b(?=['\"]))?\\{0,2})"
            r"(?:\"[^\"\n]{0,4096}\"|'[^'\n]{0,4096}'|(?:bearer|basic|digest|token)\s{1,3}\S{1,4096}|[^\s,;]{1,4096})",
            re.IGNORECASE,
        ),
        rf"\1\2{HIDDEN}",
    ),
    (
        re.compile(
            r"((?:set-)?cookie)(\\{0,2}['\"]?\s{0,3}[:=,]\s{0,3}(?:b(?=['\"]))?\\{0,2})['\"]?[^\r\n'\"]{1,4096}",
            re.IGNORECASE,
        ),
        rf"\1\2{HIDDEN}",
    ),
    (re.compile(r"\b(bearer(?:\s{0,3}[:=])?)\s{0,3}(?<![a-z])[\w.~+/=-]{1,4096}", re.IGNORECASE), rf"\1 {HIDDEN}"),
    (re.compile(rf"(--(?:[\w-]{{1,20}}-)?(?:{_NAMES})\s{{1,3}})[^\s-]\S{{0,4096}}", re.IGNORECASE), rf"\1{HIDDEN}"),
    (
        re.compile(r"\b(basic)\s{1,3}(?=[a-z+/]{0,40}(?-i:[0-9A-Z=]))[\w+/]{6,4096}={0,2}", re.IGNORECASE),
        rf"\1 {HIDDEN}",
    ),
    (
        re.compile(
            rf"((?:{_NAMES})[\w-]{{0,20}}\\{{0,2}}['\"]?\s{{0,3}}(?:[:=]|=>|%3D|(?<=['\"]),)\s{{0,3}}(?:b(?=['\"]))?\\{{0,2}})"
            r"(?:\"[^\"\n]{0,4096}\"|'[^'\n]{0,4096}'|[^\s,;&)}\]]{1,4096})",
            re.IGNORECASE,
        ),
        rf"\1{HIDDEN}",
    ),
    (
        re.compile(r"([?&;#](?:key|sig|code|state|auth|session|jwt|sid)=)[^&\s\"'#<>]{1,4096}", re.IGNORECASE),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"\beyJ[\w-]{8,4096}\.[\w-]{4,8192}(?:\.[\w-]{0,4096})?"), HIDDEN),
    (
        re.compile(
            r"\b(?:whsec_|whsk_|sk-|sk_live_|rk_live_|gh[pousr]_|github_pat_|xox[abprs]-|ya29\.|GOCSPX-|AIza|AKIA|glpat-|hf_)"
            r"[\w./+=-]{8,4096}"
        ),
        HIDDEN,
    ),
    (re.compile(r"\b1//0[\w-]{20,512}"), HIDDEN),
    (
        re.compile(r"(\bauth\s{1,3}(?:plain|login|xoauth2|cram-md5)\s{1,3})[\w+/=]{1,4096}", re.IGNORECASE),
        rf"\1{HIDDEN}",
    ),
    # Addresses whose @ is encoded, for a URL, a mail's body, HTML or JSON, or looks like one; or with a quoted name.
    (
        re.compile(
            r"[\w.+-]{1,64}(?:%40|&#(?:0{0,4}64|x0{0,4}40);|\\{1,2}u0040|[＠﹫])[\w-]{1,63}(?:\.[\w-]{1,63}){0,8}",
            re.IGNORECASE,
        ),
        HIDDEN_ADDRESS,
    ),
    (re.compile(r"[\w.+-]{1,64}=40[\w-]{1,63}(?:\.[\w-]{1,63}){0,7}\.[a-z]{2,20}\b", re.IGNORECASE), HIDDEN_ADDRESS),
    (re.compile(r"\"[^\"@\n]{1,64}\"@[\w-]{1,63}(?:\.[\w-]{1,63}){0,8}"), HIDDEN_ADDRESS),
)
# A key without anything that says so, as some providers make them: long, with small and large letters and digits.
_BARE_KEY = re.compile(
    r"\b(?=[a-z0-9]{0,64}[A-Z])(?=[A-Z0-9]{0,64}[a-z])(?=[A-Za-z]{0,64}[0-9])[A-Za-z0-9]{32,256}(?![A-Za-z0-9])"
)
# A name holds neither an address of any kind nor a long word with digits.
_NO_NAMES = (
    re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://\S+", re.IGNORECASE),
    re.compile(r"(?=[A-Za-z_+-]{0,64}[0-9])[A-Za-z0-9_+-]{24,}={0,2}"),
)
_BLANKS = re.compile(r"[\s\x00-\x1f\x7f]+")
# A text with none of these signs and words is left alone after one look.
_SUSPICIOUS = re.compile(
    rf"://|@|%40|=40|&#|u0040|[＠﹫]|\bauth\s|{_NAMES}|authori|cookie|bearer|basic|eyJ|whs|sk[-_]|rk_|gh[pousr]_|github_pat|xox|ya29|GOCSPX|AIza|AKIA|glpat|hf_|1//0"
    r"|webhooks|PRIVATE KEY|[?&;#](?:key|sig|code|state|auth|session|jwt|sid)=|x-auth",
    re.IGNORECASE,
)
# Signs without width, soft hyphens and marks of direction: they part a word for a pattern and for no reader.
_INVISIBLE = re.compile("[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
_LOCAL_PART = re.compile(r"[^\s@<>(),:;\"'=/\\\[\]{}|]{1,64}\Z")
_DOMAIN = re.compile(r"[^\W_](?:[\w-]{0,62})(?:\.[\w-]{1,63}){0,8}|\[[0-9A-Fa-f.:]{2,45}\]")


def redact_text(text: str) -> str:
    """The text without secrets, addresses and invisible signs, and not longer than the bound."""
    text = cut_text(text)
    if not text.isascii():
        text = _INVISIBLE.sub("", text)
    text = _BARE_KEY.sub(HIDDEN, text)
    if not _SUSPICIOUS.search(text):
        return text
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return _hide_addresses(text) if "@" in text else text


def redact_name(text: str, longest: int = LONGEST_NAME) -> str:
    """One short line for where a name, a class or a route belongs: whatever is none is left out."""
    # Half a character is none, and no channel could carry it.
    whole = str(text)[: 4 * longest].encode("utf-8", "replace").decode("utf-8")
    line = _BLANKS.sub(" ", whole).strip()
    for pattern in _NO_NAMES:
        line = pattern.sub(ELLIPSIS, line)
    line = redact_text(line).replace(HIDDEN, ELLIPSIS).replace(HIDDEN_ADDRESS, ELLIPSIS)
    return line if len(line) <= longest else line[: longest - 1] + ELLIPSIS


def cut_text(text: str, longest: int = LONGEST_TEXT) -> str:
    """Beginning and end of a text that is too long, cut at spaces."""
    if len(text) <= longest:
        return text
    half = longest // 2
    start, end = text[:half], text[-half:]
    start = start[
        : max(start.rfind(" ", half - LONGEST_WORD), start.rfind("\n", half - LONGEST_WORD), half - LONGEST_WORD)
    ]
    found = [place for place in (end.find(" ", 0, LONGEST_WORD), end.find("\n", 0, LONGEST_WORD)) if place >= 0]
    end = end[min(found, default=LONGEST_WORD) :]
    return f"{start} … [{len(text) - len(start) - len(end)} characters left out] …{end}"


def redact_value(value: Any, key: str = "", depth: int = 0) -> Any:
    """A value as JSON can hold it: nested things redacted inside, keys too, unknown things by their repr."""
    if key and is_secret_key(key):
        return value if value is None or isinstance(value, bool) else HIDDEN
    match value:
        case None | bool() | int() | float():
            return value
        case str():
            return HIDDEN_ADDRESS if value and "@" in value and _ADDRESS_KEY.search(key) else redact_text(value)
        case bytes() | bytearray() | memoryview():
            return redact_text(bytes(value[:LONGEST_TEXT]).decode("utf-8", "replace"))
        case Mapping() if depth < DEEPEST:
            items = list(value.items())[:MOST_ITEMS]
            return {redact_text(_show(name)): redact_value(item, _show(name), depth + 1) for name, item in items}
        case list() | tuple() | AbstractSet() if depth < DEEPEST:
            if isinstance(value, tuple) and _is_named_pair(value):
                return [redact_text(_show(value[0])), redact_value(value[1], _show(value[0]), depth + 1)]
            return [redact_value(item, key, depth + 1) for item in list(value)[:MOST_ITEMS]]
        case _:
            return redact_text(_show(value))


def is_secret_key(key: str) -> bool:
    """Whether what stands under this name is hidden whole: `token`, `Api-Key`, `smtp_password`; not `tokens`."""
    return _SECRET_KEY.search(_JOINTS.sub("", key)) is not None


def _is_named_pair(value: tuple[Any, ...]) -> bool:
    """A header as libraries hold it: a pair whose first part is a name that matters."""
    return len(value) == 2 and isinstance(value[0], str | bytes) and is_secret_key(_show(value[0]))


def _show(value: Any) -> str:
    """The words of anything; never raises."""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    try:
        return f"{type(value).__name__}: {value}" if isinstance(value, BaseException) else repr(value)
    except Exception:
        return f"a {type(value).__name__} that could not be shown"


def _hide_addresses(text: str) -> str:
    """Each @ looked at on its own, a bounded way to both sides: no pattern is tried at every place of a long text."""
    left, *pieces = text.split("@")
    done = []
    for piece in pieces:
        local, domain = _LOCAL_PART.search(left, max(0, len(left) - 64)), _DOMAIN.match(piece)
        if local is None or domain is None or left.endswith(HIDDEN):
            done.append(left + "@")
            left = piece
        else:
            done.append(left[: local.start()] + HIDDEN_ADDRESS)
            left = piece[domain.end() :]
    return "".join(done) + left

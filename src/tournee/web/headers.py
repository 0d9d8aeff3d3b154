"""Security headers: one strict policy for all pages, one for a newsletter's sandboxed frame, one for Bull Board.

Refuses inline scripts and every outside host everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping

_COMMON = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}

_PAGE = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_FRAME = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'self'; sandbox"
)
_BOARD = (
    # Bull Board sets styles from its scripts; its scripts themselves are all files of its own.
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; form-action 'none'; base-uri 'self'; frame-ancestors 'self'"
)

PAGE_HEADERS: Mapping[str, str] = {**_COMMON, "content-security-policy": _PAGE, "x-frame-options": "DENY"}
FRAME_HEADERS: Mapping[str, str] = {
    **_COMMON,
    "content-security-policy": _FRAME,
    "x-frame-options": "SAMEORIGIN",
    # A sandboxed page has no origin of its own; opened by itself it would be blocked for the sake of this header.
    "cross-origin-opener-policy": "unsafe-none",
}
BOARD_HEADERS: Mapping[str, str] = {**_COMMON, "content-security-policy": _BOARD, "x-frame-options": "SAMEORIGIN"}

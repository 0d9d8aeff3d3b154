"""Proof of access: the token of the start link, the session cookie made from it, and the CSRF token of a session.

Invariant: nothing here is valid without the process's access token, so a restart with a new token ends all
sessions. Every comparison takes the same time whatever the input.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass

from itsdangerous import BadSignature, URLSafeTimedSerializer

SESSION_DAYS = 30
_MAX_AGE_SECONDS = SESSION_DAYS * 24 * 3600


@dataclass(frozen=True, slots=True)
class Session:
    """A visitor that showed the token once. `id` is random and names nobody."""

    id: str


class Sessions:
    """Makes and reads cookies for one access token."""

    def __init__(self, access_token: str) -> None:
        if len(access_token) < 22:
            raise ValueError("the access token is too short: at least 128 random bits are needed")
        self._token = access_token.encode()
        self._serializer = URLSafeTimedSerializer(
            access_token, salt="tournee.session", signer_kwargs={"digest_method": hashlib.sha256}
        )

    def is_token(self, offered: str) -> bool:
        """Is this the access token? Takes the same time for every wrong one."""
        return hmac.compare_digest(self._digest(b"token", offered), self._digest(b"token", self._token.decode()))

    def open_session(self, known: Session | None = None) -> tuple[Session, str]:
        """A session, a new one or the one `known`, and the value of its cookie, which lasts from now on."""
        session = known or Session(secrets.token_urlsafe(16))
        return session, self._serializer.dumps(session.id)

    def read_session(self, cookie: str | None) -> Session | None:
        """The session that a cookie proves; None for a forged, an expired or an older process's one."""
        if not cookie:
            return None
        try:
            return Session(str(self._serializer.loads(cookie, max_age=_MAX_AGE_SECONDS)))
        except BadSignature:
            return None

    def make_csrf_token(self, session: Session) -> str:
        """What a form of this session carries; worthless in any other session."""
        return self._digest(b"csrf", session.id).hex()

    def is_csrf_token(self, session: Session, offered: str | None) -> bool:
        return offered is not None and hmac.compare_digest(
            self.make_csrf_token(session).encode(), offered.encode("utf-8", "replace")
        )

    def _digest(self, purpose: bytes, text: str) -> bytes:
        return hmac.new(self._token, purpose + b":" + text.encode("utf-8", "replace"), hashlib.sha256).digest()


def cookie_name(port: int | None) -> str:
    """Cookies don't tell ports apart, so each port has a name of its own: two stacks on one machine don't log
    each other out."""
    return f"tournee_session_{port}" if port else "tournee_session"

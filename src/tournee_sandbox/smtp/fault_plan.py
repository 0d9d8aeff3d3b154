"""Which mail meets which fault, at which stage of its delivery."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tournee_sandbox.counted_faults import CountedFault, CountedPlan

Stage = Literal["connect", "mail", "rcpt", "data"]


class Fault(CountedFault):
    """One way to misbehave.

    `refuse` answers `code` and `text` · `hang` never answers · `disconnect` cuts the connection instead of answering ·
    `delay` answers rightly after `seconds`. At stage `data` a mail has been received whole; `stored` says whether it is
    kept before the connection is cut or left hanging (so that the client, which cannot know, sends it again). `count`
    is of mails, at `connect` of connections.
    """

    kind: Literal["refuse", "hang", "disconnect", "delay"]
    stage: Stage = "data"
    recipient: str | None = None
    """Only mail to this address. Not known at `connect` and `mail`."""
    code: Annotated[int, Field(ge=400, le=599)] = 451
    text: Annotated[str, Field(pattern=r"^[ -~]{1,200}$")] = "4.3.0 Try again later"
    seconds: Annotated[float, Field(ge=0, le=3600)] = 1.0
    stored: bool = True

    @model_validator(mode="after")
    def refuse_a_recipient_that_is_not_known_yet(self) -> Self:
        if self.recipient is not None and self.stage in ("connect", "mail"):
            raise ValueError(f"the recipient is not known at stage {self.stage}")
        return self


class FaultPlan(CountedPlan[Fault]):
    """The faults of the SMTP simulator; the subject of a draw is the mail."""

    def take(self, stage: Stage, mail: str, recipients: Sequence[str] = ()) -> Fault | None:
        """The fault that `mail` (its Message-ID, or the address in play before that is known) meets at `stage`."""

        def fits(fault: Fault) -> bool:
            return fault.stage == stage and (fault.recipient is None or fault.recipient in recipients)

        return self.choose(fits, mail.encode())

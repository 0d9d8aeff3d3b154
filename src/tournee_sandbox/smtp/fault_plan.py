"""Which mail meets which fault.

A plan holds faults in order; the first that fits a mail at a stage is taken and, if it is counted, used up by one. A
fault with a probability draws from the seed, the mail and how often that mail was seen, never from the order of
arrival, so that the same run under another interleaving meets the same faults.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Stage = Literal["connect", "mail", "rcpt", "data"]


class Fault(BaseModel):
    """One way to misbehave.

    `refuse` answers `code` and `text` · `hang` never answers · `disconnect` cuts the connection instead of answering ·
    `delay` answers rightly after `seconds`. At stage `data` a mail has been received whole; `stored` says whether it is
    kept before the connection is cut or left hanging (so that the client, which cannot know, sends it again).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["refuse", "hang", "disconnect", "delay"]
    stage: Stage = "data"
    count: Annotated[int, Field(ge=1)] | None = None
    """For how many mails (at `connect`: connections); None: until cleared."""
    after: Annotated[int, Field(ge=0)] = 0
    """How many that would fit pass first."""
    recipient: str | None = None
    """Only mail to this address. Not known at `connect` and `mail`."""
    probability: Annotated[float, Field(gt=0, le=1)] = 1.0
    code: Annotated[int, Field(ge=400, le=599)] = 451
    text: Annotated[str, Field(pattern=r"^[ -~]{1,200}$")] = "4.3.0 Try again later"
    seconds: Annotated[float, Field(ge=0, le=3600)] = 1.0
    stored: bool = True

    @model_validator(mode="after")
    def refuse_a_recipient_that_is_not_known_yet(self) -> Self:
        if self.recipient is not None and self.stage in ("connect", "mail"):
            raise ValueError(f"the recipient is not known at stage {self.stage}")
        return self


class FaultPlan:
    """The faults that are set, and what is left of each."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._faults: list[Fault] = []
        self._fitted: list[int] = []
        self._taken: list[int] = []
        self._seen: Counter[tuple[int, str]] = Counter()

    def put(self, faults: Sequence[Fault]) -> None:
        """Replace the plan. An empty sequence ends all misbehaviour."""
        self._faults = list(faults)
        self._fitted = [0] * len(faults)
        self._taken = [0] * len(faults)
        self._seen.clear()

    def take(self, stage: Stage, mail: str, recipients: Sequence[str] = ()) -> Fault | None:
        """The fault that `mail` (its Message-ID, or the address in play before that is known) meets at `stage`."""
        for number, fault in enumerate(self._faults):
            if fault.stage != stage or (fault.recipient is not None and fault.recipient not in recipients):
                continue
            if fault.count is not None and self._taken[number] >= fault.count:
                continue
            self._fitted[number] += 1
            if self._fitted[number] <= fault.after or not self._draw(number, mail, fault.probability):
                continue
            self._taken[number] += 1
            return fault
        return None

    def read(self) -> list[dict[str, object]]:
        """Each fault with how often it struck."""
        return [fault.model_dump() | {"taken": taken} for fault, taken in zip(self._faults, self._taken, strict=True)]

    def _draw(self, number: int, mail: str, probability: float) -> bool:
        if probability >= 1:
            return True
        self._seen[number, mail] += 1
        ticket = f"{self._seed}:{number}:{mail}:{self._seen[number, mail]}".encode()
        return int.from_bytes(hashlib.sha256(ticket).digest()[:8]) / 2**64 < probability

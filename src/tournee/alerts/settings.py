"""How alerting behaves: every number in one frozen place. Reads no environment; see `tournee.settings` for that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """Numbers and switches of one process's alerts; times in seconds."""

    process: str = "tournee"
    """Which process speaks, as it is named in messages."""
    production: bool = False
    """Whether an error 500 alerts at once."""
    language: str = "en"
    console_url: str = ""
    """Where the links of messages lead; empty: no links."""

    error_threshold: int = 10
    window_seconds: float = 300.0
    """So many API errors in less than this time alert."""
    client_error_statuses: frozenset[int] = frozenset()
    """Which statuses below 500 count as API errors, too."""
    watches_rate_limits: bool = False
    rate_limit_threshold: int = 20
    """So many answers of 429 in less than `window_seconds` alert, if they are watched."""

    cooldown_seconds: float = 900.0
    """How long the same fault is silent after it was told."""
    quiet_start_seconds: float = 10.0
    """Nothing is told earlier after the start: what is over by then was the start itself."""
    hold_seconds: float = 6.0
    """How long an error may wait to learn whether a store that is down explains it."""
    grace_seconds: float = 5.0
    """A store that is back explains errors for so much longer."""
    flaps_told: int = 3
    """So many times within the cool-down the same thing may go down and is told at once."""

    critical_queues: frozenset[str] = frozenset({"fetchEmails", "processMails"})
    kinds_of_their_own: Mapping[str, str] = field(default_factory=dict)
    """The condition that the death of a job of this kind is, where it is not `job-dead`."""
    mailed_kinds: frozenset[str] = frozenset()
    """Kinds whose death the administrators are told of by e-mail already, through the ledger."""
    dead_letters_threshold: int = 100
    searchable_seconds: float = 300.0
    """A newsletter that is stored for so long should be searchable."""
    disk_free_percent: float = 10.0

    queue_limit: int = 4096
    """How many recorded errors may wait for the alert thread; more are counted without their details."""
    backlog_limit: int = 100
    """How many messages may wait for a channel."""
    escalate_seconds: float = 60.0
    """Discord away for so long: the e-mail way."""
    mail_gap_seconds: float = 60.0
    """At least so much time between two e-mails."""
    escalation_gap_seconds: float = 600.0
    """At least so much time between two e-mails while they stand in for Discord."""

"""Rules of owners and the alerts that come of them.

Keeps: one delivery per (owner, newsletter, channel); what was sent stays sent. The caller commits.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tournee.db.pool import Connection
from tournee.pipeline.core.emails import Alert
from tournee.pipeline.core.rules import PlannedDelivery, Rule, make_criteria
from tournee.pipeline.core.shared_links import resolve_key_links
from tournee.pipeline.store.analyses import read_key_links
from tournee.pipeline.store.newsletters import format_sender, read_links
from tournee.pipeline.store.sql import SQL


@dataclass(frozen=True, slots=True)
class OwnedRule:
    """A rule and what it holds for; `mailbox_id` None: all mailboxes of the owner."""

    owner_id: int
    mailbox_id: int | None
    rule: Rule


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """An alert to be planned."""

    owner_id: int
    newsletter_id: int
    planned: PlannedDelivery


@dataclass(frozen=True, slots=True)
class Delivery:
    """An alert and whether it was sent."""

    channel: str
    state: str
    alert: Alert


async def insert_rule(connection: Connection, owner_id: int, mailbox_id: int | None, rule: Rule) -> int:
    """Keep a rule that `make_rule` has checked."""
    matches = rule.criteria.as_object()
    rule_id: int = await connection.fetchval(SQL.insert_rule, owner_id, mailbox_id, rule.channel, rule.target, matches)
    return rule_id


async def list_rules(connection: Connection, owner_ids: Sequence[int]) -> list[OwnedRule]:
    """All rules of these owners, oldest first."""
    rows = await connection.fetch(SQL.list_rules, owner_ids)
    return [
        OwnedRule(
            owner_id=row["owner_id"],
            mailbox_id=row["mailbox_id"],
            rule=Rule(row["channel"], row["target"], make_criteria(row["matches"])),
        )
        for row in rows
    ]


async def insert_deliveries(connection: Connection, deliveries: Sequence[NewDelivery]) -> Mapping[int, int]:
    """Plan those that are not planned yet; answers newsletter ids by the ids of new deliveries."""
    rows = await connection.fetch(
        SQL.insert_deliveries,
        [delivery.owner_id for delivery in deliveries],
        [delivery.newsletter_id for delivery in deliveries],
        [delivery.planned.channel for delivery in deliveries],
        [delivery.planned.target for delivery in deliveries],
        [json.dumps(dict(delivery.planned.why)) for delivery in deliveries],
    )
    return {row["id"]: row["newsletter_id"] for row in rows}


async def load_delivery(connection: Connection, delivery_id: int) -> Delivery | None:
    """One alert, None if its newsletter was erased."""
    row = await connection.fetchrow(SQL.load_delivery, delivery_id)
    if row is None:
        return None
    alert = Alert(
        delivery_id=row["id"],
        target=row["target"],
        language=row["language"],
        mailbox=row["mailbox"],
        title=row["title"],
        sender=format_sender(row["from_name"], row["from_address"]),
        summary=row["summary"],
        summary_language=row["summary_language"],
        topics=row["topics"],
        key_links=resolve_key_links(read_key_links(row["key_links"]), read_links(row["links"])),
        reading_minutes=row["reading_minutes"],
        why=row["why"],
    )
    return Delivery(channel=row["channel"], state=row["state"], alert=alert)


async def mark_delivery_sent(connection: Connection, delivery_id: int) -> None:
    """Say that it was handed over; in the transaction that completes its job."""
    await connection.execute(SQL.mark_delivery_sent, delivery_id)


async def mark_delivery_failed(connection: Connection, delivery_id: int, error: str) -> None:
    """Give it up, unless it was sent."""
    await connection.execute(SQL.mark_delivery_failed, delivery_id, error)


async def restore_delivery(connection: Connection, delivery_id: int) -> None:
    """Let a given-up alert be sent again."""
    await connection.execute(SQL.restore_delivery, delivery_id)

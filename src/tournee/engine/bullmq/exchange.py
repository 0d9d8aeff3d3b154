"""Finishes what is done and fetches what comes next: the broker's hot path.

Keeps two promises. What was fetched is handed out even if another command of the same call was refused or failed,
because a job that is locked and told to nobody waits until its lock runs out. And a queue that is nearly empty is
not flooded with fetches: as many are sent as were seen waiting, and a few to look.
"""

from __future__ import annotations

from collections.abc import Sequence

from tournee.engine.bullmq.channel import Reply
from tournee.engine.bullmq.commands import pack
from tournee.engine.bullmq.lane import Lane
from tournee.engine.bullmq.layout import parse_entry_id
from tournee.engine.bullmq.pipeline import Pipeline, raise_refusal
from tournee.engine.ports import BrokerUnavailable, Fetched, Finished

_LOOKS = 4
"""Fetches sent to a queue that was last seen empty."""


async def exchange_jobs(
    pipeline: Pipeline, lane: Lane, finished: Sequence[Finished], fetch: int, token: str
) -> list[Fetched]:
    """Finish all of `finished`, fetch at most `fetch` jobs under `token`; see `Broker.exchange`."""
    finishes, wanted = _pack_finishes(lane, finished, fetch, token)
    looks = min(wanted, max(_LOOKS, lane.waiting))
    replies = await _run_and_look(pipeline, lane, finishes, looks, token)
    fetched = _collect_fetched(replies, token)
    if not fetched:
        raise_refusal(replies)
    try:
        await _discard_refused(pipeline, lane, finished, replies)
        more = min(wanted - looks, lane.waiting)
        if more > 0 and all(_is_job(reply) for reply in replies[len(finished) :]):
            fetched += _collect_fetched(await _run_and_look(pipeline, lane, [], more, token), token)
    except BrokerUnavailable:
        if not fetched:
            raise
    return fetched


def _pack_finishes(lane: Lane, finished: Sequence[Finished], fetch: int, token: str) -> tuple[list[bytes], int]:
    """The commands, and how many fetches they leave to be made."""
    commands = []
    surplus = sum(entry.kept and entry.succeeded for entry in finished) - lane.keep_completed
    for entry in finished:
        kept = entry.kept
        if kept and entry.succeeded and surplus > 0:
            # Later ones of this very call would push it out again; not to keep it costs the server a third less.
            surplus -= 1
            kept = False
        # BullMQ locks the next job under the token of the finished one.
        fetch_next = fetch > 0 and entry.token == token
        fetch -= fetch_next
        commands.append(lane.commands.finish(entry, kept=kept, fetch_next=fetch_next))
    return commands, fetch


async def _run_and_look(
    pipeline: Pipeline, lane: Lane, finishes: Sequence[bytes], fetches: int, token: str
) -> list[Reply]:
    """Replies to the finishes and fetches; notes by the way how many jobs are left waiting."""
    commands = list(finishes)
    if fetches:
        commands += [lane.commands.fetch(token)] * fetches
    if not commands:
        return []
    commands.append(pack("LLEN", lane.layout.names["wait"]))
    replies = await pipeline.run(commands)
    length = replies.pop()
    lane.waiting = length if isinstance(length, int) else 0
    return replies


async def _discard_refused(
    pipeline: Pipeline, lane: Lane, finished: Sequence[Finished], replies: Sequence[Reply]
) -> None:
    """Clean the entries whose finish was answered with a negative number: no hash, no lock, not active."""
    refused = [
        str(entry.id) for entry, reply in zip(finished, replies, strict=False) if isinstance(reply, int) and reply < 0
    ]
    if refused:
        await pipeline.run_all([lane.commands.discard(refused, spare_finished=True)])


def _is_job(reply: Reply) -> bool:
    # Without a job BullMQ answers 0, or a list whose id is the number 0.
    return isinstance(reply, list) and isinstance(reply[1], bytes)


def _collect_fetched(replies: Sequence[Reply], token: str) -> list[Fetched]:
    fetched = []
    for reply in replies:
        if _is_job(reply):
            raw_id = reply[1].decode("utf-8", "replace")
            fetched.append(Fetched(parse_entry_id(raw_id), raw_id, token))
    return fetched

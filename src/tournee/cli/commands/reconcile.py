"""`tournee reconcile`: compare ledger and Redis now, and mend."""

from __future__ import annotations

from tournee.cli.options import Json


def reconcile(as_json: Json = False) -> None:
    """Compare ledger and Redis, and repair."""
    from tournee.cli.output import print_json, print_line, print_table
    from tournee.cli.session import ask_stack

    reports = ask_stack(lambda stack: stack.reconcile())
    repairs = sum(r.epoch_mended + r.lost + r.orphans + r.leftovers + r.projected for r in reports)
    if as_json:
        print_json({"repairs": repairs, "queues": reports})
        return
    columns = ["queue", "epoch mended", "lost, pending again", "orphans", "leftovers", "dead letters projected"]
    rows = ([r.queue, r.epoch_mended, r.lost, r.orphans, r.leftovers, r.projected] for r in reports)
    print_table(columns, rows)
    print_line("ledger and Redis agree" if repairs == 0 else f"{repairs} repaired")

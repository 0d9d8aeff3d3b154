"""The control interface of the SMTP simulator, JSON over loopback HTTP.

| request | answer |
|---|---|
| `GET /` | a page that lists what was received |
| `GET /mails?message_id=&recipient=&offset=&limit=` | the mails in the order of arrival |
| `GET /mails/count` | `{count, distinct, repeats}`: mails, Message-IDs, mails beyond the first of their Message-ID |
| `GET /mails/repeats` | the Message-IDs that came more than once, with how often and to whom |
| `GET /mails/{number}` | one mail as it was received (`message/rfc822`) |
| `GET /faults` · `PUT /faults` · `DELETE /faults` | the plan: read, replace (a list), clear |
"""

from __future__ import annotations

from dataclasses import asdict
from html import escape

from pydantic import TypeAdapter, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from tournee_sandbox.smtp.fault_plan import Fault, FaultPlan
from tournee_sandbox.smtp.mail_store import MailStore, ReceivedMail

PAGE_SIZE = 100
LARGEST_PAGE = 1_000
LARGEST_PLAN_BYTES = 64 * 1024
_PLAN = TypeAdapter(list[Fault])

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Sandbox mail</title>
<style>body{{font:16px/1.5 system-ui;margin:2rem auto;max-width:60rem;padding:0 1rem}}td,th{{text-align:left;
padding:.3rem .8rem .3rem 0;vertical-align:top}}</style><h1>Received by the sandbox</h1>
<p>{count} mails, {repeats} of them repeats. The latest {shown} are shown; nothing here leaves this machine.</p>
<table><tr><th>#<th>To<th>Subject<th>Received</tr>{rows}</table></html>"""


def build_control(store: MailStore, plan: FaultPlan) -> Starlette:
    """The application that reads `store` and steers `plan`."""
    control = _Control(store, plan)
    return Starlette(
        routes=[
            Route("/", control.show_page),
            Route("/mails", control.list_mails),
            Route("/mails/count", control.count_mails),
            Route("/mails/repeats", control.list_repeats),
            Route("/mails/{number:int}", control.show_mail),
            Route("/faults", control.read_faults),
            Route("/faults", control.put_faults, methods=["PUT", "POST"]),
            Route("/faults", control.clear_faults, methods=["DELETE"]),
        ]
    )


class _Control:
    def __init__(self, store: MailStore, plan: FaultPlan) -> None:
        self._store = store
        self._plan = plan

    async def show_page(self, request: Request) -> Response:
        latest = self._store.mails[: -PAGE_SIZE - 1 : -1]
        rows = "".join(_describe_row(mail) for mail in latest)
        counts = self._count()
        page = _PAGE.format(
            count=counts["count"],
            repeats=counts["repeats"],
            shown=len(latest),
            rows=rows,
        )
        return HTMLResponse(page)

    async def list_mails(self, request: Request) -> Response:
        query = request.query_params
        try:
            offset, limit = (
                int(query.get("offset", 0)),
                int(query.get("limit", PAGE_SIZE)),
            )
        except ValueError:
            return JSONResponse({"error": "offset and limit are numbers"}, status_code=422)
        if offset < 0 or not 0 <= limit <= LARGEST_PAGE:
            return JSONResponse(
                {"error": f"offset is at least 0, limit at most {LARGEST_PAGE}"},
                status_code=422,
            )
        fitting = [mail for mail in self._store.mails if _fits(mail, query.get("message_id"), query.get("recipient"))]
        page = [asdict(mail) for mail in fitting[offset : offset + limit]]
        return JSONResponse({"total": len(fitting), "mails": page})

    async def count_mails(self, request: Request) -> Response:
        return JSONResponse(self._count())

    async def list_repeats(self, request: Request) -> Response:
        repeats = self._store.count_repeats()
        recipients: dict[str, set[str]] = {message_id: set() for message_id in repeats}
        for mail in self._store.mails:
            if mail.message_id in recipients:
                recipients[mail.message_id].update(mail.recipients)
        return JSONResponse(
            [
                {
                    "message_id": message_id,
                    "times": times,
                    "recipients": sorted(recipients[message_id]),
                }
                for message_id, times in repeats.items()
            ]
        )

    async def show_mail(self, request: Request) -> Response:
        number = request.path_params["number"]
        if not 1 <= number <= len(self._store.mails):
            return JSONResponse({"error": f"there is no mail {number}"}, status_code=404)
        return FileResponse(
            self._store.folder / self._store.mails[number - 1].file,
            media_type="message/rfc822",
        )

    async def read_faults(self, request: Request) -> Response:
        return JSONResponse(self._plan.read())

    async def put_faults(self, request: Request) -> Response:
        # A page in somebody's browser cannot send this type to another origin unasked.
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return JSONResponse({"error": "send application/json"}, status_code=415)
        body = await request.body()
        if len(body) > LARGEST_PLAN_BYTES:
            return JSONResponse(
                {"error": f"a plan has at most {LARGEST_PLAN_BYTES} bytes"},
                status_code=413,
            )
        try:
            self._plan.put(_PLAN.validate_json(body))
        except ValidationError as error:
            errors = error.errors(include_url=False, include_context=False, include_input=False)
            return JSONResponse({"error": "not a list of faults", "details": errors}, status_code=422)
        return JSONResponse(self._plan.read())

    async def clear_faults(self, request: Request) -> Response:
        self._plan.put([])
        return JSONResponse([])

    def _count(self) -> dict[str, int]:
        count = len(self._store.mails)
        repeats = sum(times - 1 for times in self._store.count_repeats().values())
        return {"count": count, "distinct": count - repeats, "repeats": repeats}


def _fits(mail: ReceivedMail, message_id: str | None, recipient: str | None) -> bool:
    return message_id in (None, mail.message_id) and (recipient is None or recipient in mail.recipients)


def _describe_row(mail: ReceivedMail) -> str:
    recipients = escape(", ".join(mail.recipients))
    link = f'<a href="/mails/{mail.number}">{escape(mail.subject or "(no subject)")}</a>'
    return f"<tr><td>{mail.number}<td>{recipients}<td>{link}<td>{escape(mail.received_at)}</tr>"

"""Which request to a simulated HTTP service meets which fault, and how it is carried out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Literal, TypeVar

from pydantic import Field, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tournee_sandbox.counted_faults import CountedFault, CountedPlan
from tournee_sandbox.loopback import cut_connection

LARGEST_PLAN_BYTES = 64 * 1024
DRIPS = 20


class HttpFault(CountedFault):
    """Which requests a fault strikes, and the ways to misbehave that every HTTP service has.

    `status` answers `code` · `hang` never answers · `disconnect` resets the connection instead of answering · `delay`
    answers rightly after `seconds` · `drip` answers rightly, a few bytes at a time over `seconds`. `stored` says
    whether what came is kept all the same, so that the client, which cannot know, sends it again.
    """

    kind: Literal["status", "hang", "disconnect", "delay", "drip"]
    contains: str | None = None
    """Only requests whose body contains this text."""
    code: Annotated[int, Field(ge=400, le=599)] = 500
    seconds: Annotated[float, Field(ge=0, le=3600)] = 1.0
    stored: bool = False


AnyHttpFault = TypeVar("AnyHttpFault", bound=HttpFault)


class HttpFaultPlan(CountedPlan[AnyHttpFault]):
    """The faults of an HTTP simulator, of one `kind`; the subject of a draw is the request's body."""

    def __init__(self, kind: type[AnyHttpFault], seed: int) -> None:
        super().__init__(seed)
        self.adapter = TypeAdapter(list[kind])  # type: ignore[valid-type]

    def take(self, body: bytes) -> AnyHttpFault | None:
        """The fault that a request with this body meets."""
        return self.choose(lambda fault: fault.contains is None or fault.contains.encode() in body, body)


async def misbehave(request: Request, fault: HttpFault, ended: asyncio.Event) -> Response | None:
    """Carry out the waiting or the cutting. The answer to give instead; None: answer as if nothing were.

    `ended` frees those that hang when the simulator stops.
    """
    match fault.kind:
        case "hang":
            await ended.wait()
            await cut_connection(request)
            return Response(status_code=503)  # Nobody is there to read it.
        case "disconnect":
            await cut_connection(request)
            return Response(status_code=503)
        case "delay":
            try:
                await asyncio.wait_for(ended.wait(), fault.seconds)
            except TimeoutError:
                return None
        case _:
            return None
    return None


def drip(answer: Response, seconds: float) -> Response:
    """The same answer, its body a few bytes at a time."""
    body = bytes(answer.body)
    step = max(1, -(-len(body) // DRIPS))

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), step):
            await asyncio.sleep(seconds / DRIPS)
            yield body[start : start + step]

    return StreamingResponse(pieces(), answer.status_code, dict(answer.headers))


def build_fault_routes(plan: HttpFaultPlan[AnyHttpFault]) -> list[Route]:
    """`GET /faults`, `PUT /faults`, `DELETE /faults`: read, replace (a list), clear."""

    async def read(_request: Request) -> Response:
        return JSONResponse(plan.read())

    async def put(request: Request) -> Response:
        # A page in somebody's browser cannot send this type to another origin unasked.
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return JSONResponse({"error": "send application/json"}, status_code=415)
        body = await request.body()
        if len(body) > LARGEST_PLAN_BYTES:
            return JSONResponse({"error": f"a plan has at most {LARGEST_PLAN_BYTES} bytes"}, status_code=413)
        try:
            plan.put(plan.adapter.validate_json(body))
        except ValidationError as error:
            errors = error.errors(include_url=False, include_context=False, include_input=False)
            return JSONResponse({"error": "not a list of faults", "details": errors}, status_code=422)
        return JSONResponse(plan.read())

    async def clear(_request: Request) -> Response:
        plan.put([])
        return JSONResponse([])

    return [
        Route("/faults", read),
        Route("/faults", put, methods=["PUT", "POST"]),
        Route("/faults", clear, methods=["DELETE"]),
    ]

"""Which request to a simulated HTTP service meets which fault, and how it is carried out.

A plan holds faults in order; the first that fits a request is taken and, if it is counted, used up by one. A fault with
a probability draws from the seed, the request and how often that request was seen, never from the order of arrival, so
that the same run under another interleaving meets the same faults.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tournee_sandbox.loopback import cut_connection

LARGEST_PLAN_BYTES = 64 * 1024
DRIPS = 20


class HttpFault(BaseModel):
    """Which requests a fault strikes, and the ways to misbehave that every HTTP service has.

    `status` answers `code` · `hang` never answers · `disconnect` resets the connection instead of answering · `delay`
    answers rightly after `seconds` · `drip` answers rightly, a few bytes at a time over `seconds`. `stored` says
    whether what came is kept all the same, so that the client, which cannot know, sends it again.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["status", "hang", "disconnect", "delay", "drip"]
    count: Annotated[int, Field(ge=1)] | None = None
    """For how many requests; None: until cleared."""
    after: Annotated[int, Field(ge=0)] = 0
    """How many that would fit pass first."""
    contains: str | None = None
    """Only requests whose body contains this text."""
    probability: Annotated[float, Field(gt=0, le=1)] = 1.0
    code: Annotated[int, Field(ge=400, le=599)] = 500
    seconds: Annotated[float, Field(ge=0, le=3600)] = 1.0
    stored: bool = False


AnyFault = TypeVar("AnyFault", bound=HttpFault)


class HttpFaultPlan(Generic[AnyFault]):
    """The faults that are set, and what is left of each."""

    def __init__(self, kind: type[AnyFault], seed: int) -> None:
        self.adapter = TypeAdapter(list[kind])  # type: ignore[valid-type]
        self._seed = seed
        self._faults: list[AnyFault] = []
        self._fitted: list[int] = []
        self._taken: list[int] = []
        self._seen: Counter[tuple[int, bytes]] = Counter()

    def put(self, faults: Sequence[AnyFault]) -> None:
        """Replace the plan. An empty sequence ends all misbehaviour."""
        self._faults = list(faults)
        self._fitted = [0] * len(faults)
        self._taken = [0] * len(faults)
        self._seen.clear()

    def take(self, body: bytes) -> AnyFault | None:
        """The fault that a request with this body meets."""
        for number, fault in enumerate(self._faults):
            if fault.contains is not None and fault.contains.encode() not in body:
                continue
            if fault.count is not None and self._taken[number] >= fault.count:
                continue
            self._fitted[number] += 1
            if self._fitted[number] <= fault.after or not self._draw(number, body, fault.probability):
                continue
            self._taken[number] += 1
            return fault
        return None

    def read(self) -> list[dict[str, object]]:
        """Each fault with how often it struck."""
        return [fault.model_dump() | {"taken": taken} for fault, taken in zip(self._faults, self._taken, strict=True)]

    def _draw(self, number: int, body: bytes, probability: float) -> bool:
        if probability >= 1:
            return True
        digest = hashlib.sha256(body).digest()
        self._seen[number, digest] += 1
        ticket = f"{self._seed}:{number}:{self._seen[number, digest]}:".encode() + digest
        return int.from_bytes(hashlib.sha256(ticket).digest()[:8]) / 2**64 < probability


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


def build_fault_routes(plan: HttpFaultPlan[AnyFault]) -> list[Route]:
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

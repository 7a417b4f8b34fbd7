"""The upload route: a file's bytes go from the request to the disk, slice by slice.

PUT appends the body at `offset` and GET says how many bytes are there; whoever knows a session's
token, which only its own page is told, may send to its folder. Bytes received stay, so that a
broken connection, a reload or a restart of the server costs no more than what was on its way.
"""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from errno import EDQUOT, ENOSPC
from io import FileIO
from pathlib import Path
from typing import Final

from anyio.to_thread import run_sync
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from pages.parts.upload import admission, sweeping
from pages.parts.upload.upload_store import Refused, Sending, remove

_BUFFER: Final = 1_000_000  # bytes in memory for each file on its way
_SILENCE: Final = 20.0  # s without a byte, after which the connection counts as broken
_WRITING: Final[set[Path]] = set()  # one writer a file; read and changed by the event loop alone


def routes(base: str = "") -> list[BaseRoute]:
    """The route, under a base path such as "/slides"."""
    path = f"{base}/upload/{{token}}/{{entry}}"
    told = [("GET", _tell), ("PUT", _receive), ("DELETE", _remove)]
    return [Route(path, _answered(answer), methods=[method]) for method, answer in told]


Answer = Callable[[Request], Awaitable[Response]]


def _answered(answer: Answer) -> Answer:
    """The answer, or the refusal as one line of text."""

    async def endpoint(request: Request) -> Response:
        try:
            response = await answer(request)
        except Refused as refused:
            response = _line(refused.status, str(refused))
            if refused.there is not None:
                response.headers["Upload-Offset"] = str(refused.there)
        except OSError as error:
            full = error.errno in (ENOSPC, EDQUOT)
            said = "is full" if full else f"does not take the file ({error.strerror})"
            response = _line(507, f"The server's disk {said}. Have room made there, then retry.")
        response.headers["Cache-Control"] = "no-store"
        return response

    return endpoint


def _line(status: int, text: str) -> Response:
    headers = {"X-Content-Type-Options": "nosniff"}
    return Response(text, status, headers, media_type="text/plain")


async def _tell(request: Request) -> Response:
    """How many bytes are there; refused where a PUT would be, so that it is known before."""
    sending = await run_sync(admission.sending, request)
    there = await run_sync(sending.there)
    await run_sync(admission.check_room, sending, there)
    said = json.dumps({"offset": there, "whole": sending.is_whole()})
    return Response(said, media_type="application/json", headers={"Upload-Offset": str(there)})


async def _receive(request: Request) -> Response:
    """Append the body; the file gets its name with its last byte."""
    admission.check_origin(request)
    sending = await run_sync(admission.sending, request)
    if sending.part in _WRITING:
        raise Refused(423, f"{sending.parts[-1]} is being sent already. Wait for that, or retry.")
    _WRITING.add(sending.part)
    try:
        there = await run_sync(admission.begin, request, sending)
        if not sending.is_whole():
            there = await _append(request, sending, there)
        if there == sending.size:
            await run_sync(sending.finish)
    finally:
        _WRITING.discard(sending.part)
    return Response(status_code=204, headers={"Upload-Offset": str(there)})


async def _append(request: Request, sending: Sending, there: int) -> int:
    """Write the body behind what is there, whatever ends it; how many bytes are there then."""
    flags = os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    handle = await run_sync(os.open, sending.part, flags, 0o640)
    with FileIO(handle, "wb") as file:
        file.seek(there)
        there = await _pour(request, sending, there, file)
        await run_sync(os.fsync, handle)
    return there


async def _pour(request: Request, sending: Sending, there: int, file: FileIO) -> int:
    begin, waiting = there, bytearray()
    body = request.stream()
    ended: Refused | None = None
    while ended is None:
        try:
            async with asyncio.timeout(_SILENCE):
                chunk = await anext(body, None)
        except ClientDisconnect:
            ended = Refused(400, "The connection broke. What came stays; go on there.")
        except TimeoutError:
            ended = Refused(408, f"Nothing came for {_SILENCE:g} s. What came stays; go on there.")
        else:
            if chunk is None:
                break
            waiting += chunk
            if there + len(waiting) > sending.size:  # more than was said: none of it counts
                await run_sync(file.truncate, begin)
                raise Refused(413, f"More came than the {sending.size} bytes said.", begin)
        if len(waiting) >= _BUFFER:
            there += await run_sync(_write, file, waiting)
            await run_sync(admission.check_disk, sending, sending.size - there)
    there += await run_sync(_write, file, waiting)
    if ended:
        raise ended
    return there


def _write(file: FileIO, waiting: bytearray) -> int:
    """Write all that waits, and let it go."""
    with memoryview(waiting) as rest:
        done = 0
        while done < len(rest):
            done += file.write(rest[done:]) or 0
    waiting.clear()
    return done


async def _remove(request: Request) -> Response:
    """Take an upload off the list, a part of one too."""
    admission.check_origin(request)
    folder, entry = admission.place(request)
    if any(part.is_relative_to(folder / entry) for part in _WRITING):
        raise Refused(423, "The file is still being sent. Pause it first, then remove it.")
    used = await run_sync(sweeping.is_used, folder / entry)
    await run_sync(remove, folder, entry, used)
    return Response(status_code=204)

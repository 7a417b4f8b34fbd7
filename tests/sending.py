"""Asking the upload route as a browser would, without a server."""

import asyncio
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from starlette.applications import Starlette

from pages.parts.upload import receiving

OWN = {"host": "localhost:8501", "origin": "http://localhost:8501"}
ENTRY = "0123456789abcdef" * 2


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def there(self) -> int:
        return int(self.headers["upload-offset"])


async def asked(
    method: str,
    path: str,
    body: Sequence[bytes] = (),
    headers: dict[str, str] | None = None,
    *,
    ends: bool = True,
    base: str = "",
    wait: asyncio.Event | None = None,
    **query: object,
) -> Answer:
    """An answer to a request; where it doesn't end, the connection breaks behind the body."""
    chunks, sent = list(body), list[dict[str, Any]]()

    async def receive() -> dict[str, Any]:
        if chunks:
            more = len(chunks) > 1 or not ends or wait is not None
            return {"type": "http.request", "body": chunks.pop(0), "more_body": more}
        if wait is not None:
            await wait.wait()
        if ends:
            return {"type": "http.request", "body": b"", "more_body": False}
        return {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(dict(message))

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "root_path": "",
        "query_string": urlencode(query).encode(),
        "headers": [(k.encode(), v.encode()) for k, v in (OWN | (headers or {})).items()],
    }
    await Starlette(routes=receiving.routes(base))(scope, receive, send)
    text = b"".join(m.get("body", b"") for m in sent[1:]).decode()
    told = {k.decode(): v.decode() for k, v in sent[0]["headers"]}
    return Answer(sent[0]["status"], told, text)


def ask(*given: Any, **named: Any) -> Answer:
    """The same, outside of an event loop."""
    return asyncio.run(asked(*given, **named))

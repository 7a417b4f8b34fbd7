"""Talking with a STAC API: only to addresses that are allowed, and for a bounded time."""

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from pystac_client.stac_api_io import StacApiIO
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from landslide_core.errors import CatalogueError
from landslide_core.places import without_query
from landslide_core.readers.addresses import PRIVATE, is_public, private_allowed

TIMEOUT: Final = (10.0, 30.0)  # s to connect, and between two pieces of an answer
PATIENCE: Final = 120.0  # s for one answer in all
MOST: Final = 64 * 2**20  # bytes of one answer


@contextmanager
def quiet(*names: str) -> Iterator[None]:
    """Keep libraries from logging addresses, which hold signatures; errors say what's needed."""
    loggers = [logging.getLogger(name) for name in names]

    def nothing(record: logging.LogRecord) -> bool:
        return False

    try:
        for logger in loggers:
            logger.addFilter(nothing)
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(nothing)


class CatalogueIO(StacApiIO):
    """How the STAC client asks: addresses checked, answers bounded, one line on failure."""

    def __init__(self) -> None:
        super().__init__(max_retries=None)
        retry = Retry(2, read=False, backoff_factor=0.3, status_forcelist=(429, 502, 503, 504))
        for scheme in ("http://", "https://"):
            self.session.mount(scheme, _Checked(max_retries=retry))

    def read_text(self, source: Any, *given: Any, **named: Any) -> str:
        """The text behind an address, never that of a file, which the client would read too."""
        if isinstance(source, str) and not source.lower().startswith(("http://", "https://")):
            raise CatalogueError(
                f"{source[:200]!r} is no address of a STAC API; one with http or https is needed. "
                "Check --catalogue."
            )
        return super().read_text(source, *given, **named)

    def request(
        self,
        href: str,
        method: str | None = None,
        headers: dict[str, str] | None = None,
        parameters: dict[str, Any] | None = None,
    ) -> str:
        """The text of an answer. Raises CatalogueError."""
        sent: Any = {"json" if method == "POST" else "params": parameters}
        host = without_query(href)
        try:
            with self.session.request(
                method or "GET", href, headers=headers, timeout=TIMEOUT, stream=True, **sent
            ) as answer:
                if not answer.ok:
                    raise CatalogueError(
                        f"{host} refuses with {answer.status_code} {answer.reason}; a STAC API "
                        "that answers is needed. Check the address, or try again later."
                    )
                return _bounded(answer, host)
        except requests.RequestException as error:
            raise CatalogueError(
                f"{host} does not answer ({_why(error)}); a STAC API that can be reached is "
                "needed. Check the address and the network, or try again later."
            ) from error


class _Checked(HTTPAdapter):
    """Looks at every address before it is asked, those of redirects too."""

    def send(self, request: requests.PreparedRequest, *given: Any, **named: Any) -> Any:
        _check_host(str(request.url))
        return super().send(request, *given, **named)


def _check_host(address: str) -> None:
    """Raise CatalogueError for a host of the own machine or network, unless that is allowed."""
    if private_allowed():
        return
    try:
        host = urlsplit(address).hostname
        numbers = {str(found[4][0]) for found in socket.getaddrinfo(host, None)}
    except (OSError, ValueError):
        raise CatalogueError(
            f"{without_query(address)} has a host that doesn't resolve; a known one is needed. "
            "Check the address and the network."
        ) from None
    if not all(map(is_public, numbers)):
        raise CatalogueError(
            f"{without_query(address)} leads into this machine or its network; a public address "
            f"is needed. The operator can allow it with {PRIVATE}=1."
        )


def _bounded(answer: requests.Response, host: str) -> str:
    """The text of an answer. Raises CatalogueError where it takes too long or is too large."""
    until = monotonic() + PATIENCE
    text = bytearray()
    for piece in answer.iter_content(2**16):
        text += piece
        if len(text) > MOST or monotonic() > until:
            raise CatalogueError(
                f"{host} sends {len(text) / 2**20:.0f} MB in one answer, or too slowly; at most "
                f"{MOST / 2**20:.0f} MB in {PATIENCE:g} s are read. Try another catalogue."
            )
    return text.decode("utf-8", errors="replace")


def _why(error: requests.RequestException) -> str:
    """What happened, in words, without addresses."""
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    return type(error).__name__

"""Addresses of rasters: which may be asked at all, and how GDAL asks them."""

import ipaddress
import os
import re
import socket
import threading
from collections.abc import Callable
from typing import Final, TypeVar
from urllib.parse import urljoin

from landslide_core.errors import UnreadableRaster
from landslide_core.places import ADDRESS, SCHEMES, without_query

T = TypeVar("T")

PRIVATE: Final = "LANDSLIDE_PRIVATE_ADDRESSES"  # environment variable of the operator
HOPS: Final = 5  # redirects
PATIENCE: Final = 30.0  # s for all of them
_MOVED: Final = (301, 302, 303, 307, 308)
_HOST: Final = re.compile(r"(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?P<port>:[0-9]{1,5})?")
_BUCKET: Final = re.compile(r"(?=.{3,63}$)[a-z0-9]+([.-][a-z0-9]+)*")
# Clouds' own services at numbers that pass for public.
_CLOUDS: Final = re.compile(r"168\.63\.129\.16|192\.0\.0\.\d+")
_REMEDIES: Final = {
    401: "Sign it, or download the file and give its path.",
    403: "Signatures run out: sign it anew, or download the file and give its path.",
    404: "Check it letter by letter.",
    410: "Look for its new place.",
    429: "Wait a while, or download the file and give its path.",
}


def private_allowed() -> bool:
    """Whether the operator allows addresses of the own machine and network."""
    return os.environ.get(PRIVATE, "") == "1"


def check_address(address: str, private: bool = False) -> str:
    """The address at the end of all redirects, where a raster can be read in parts.

    Only http, https and s3, and unless `private` only hosts that are public in every number they
    resolve to, at each hop. Raises UnreadableRaster; no message holds a signature. Between this
    and GDAL's own request a name may change its number: a firewall is the last line.
    """
    if _refuse_spelling(address) == "s3":
        return address
    asked = address.partition("#")[0]
    return _within(PATIENCE, asked, lambda: _end_of_redirects(asked, private))


def length(address: str) -> int | None:
    """Bytes that a checked http or https address says it has; None where it doesn't say."""
    if _refuse_spelling(address) == "s3":
        return None
    _, headers = _within(PATIENCE, address, lambda: _first_byte(address))
    said = headers.get("content-range", "").rpartition("/")[2]
    return int(said) if said.isdecimal() else None


def _end_of_redirects(address: str, private: bool) -> str:
    """Where the redirects of an http or https address end. Raises UnreadableRaster."""
    for _ in range(HOPS + 1):
        host, port = _host_of(address)
        if not private:
            _refuse_private(address, host, port)
        status, headers = _first_byte(address)
        if status not in _MOVED:
            _refuse_status(address, status)
            return address
        address = _joined(address, headers.get("location", ""))
        if _refuse_spelling(address) == "s3":
            raise _refusal(address, "is where a web address leads", "a web address")
    raise _refusal(
        address,
        f"is the end of more than {HOPS} redirects",
        "the address of the file itself",
        "Give where the redirects lead.",
    )


def _joined(address: str, location: str) -> str:
    """Where a redirect leads from an address, without a fragment. Raises UnreadableRaster."""
    try:
        return urljoin(address, location).partition("#")[0]
    except ValueError:
        raise _refusal(address, "leads to what is no address", "a working redirect") from None


def _refuse_spelling(address: str) -> str:
    """The scheme of an address. Raises UnreadableRaster for one that no raster needs."""
    found = ADDRESS.fullmatch(address)
    scheme = found["scheme"].lower() if found else ""
    if found is None or scheme not in SCHEMES:
        raise _refusal(
            address,
            f"has the scheme {scheme}" if scheme else "is no address",
            " or ".join((", ".join(SCHEMES[:-1]), SCHEMES[-1])),
            "Give a path as it is, without a scheme.",
        )
    if not all("!" <= sign <= "~" and sign not in '\\"<>^`{|}' for sign in address):
        raise _refusal(
            address,
            "has spaces or other signs that no address has",
            "an escaped one",
            "Write them as % and their number, and a name as xn--.",
        )
    if scheme == "s3":
        bucket, _, key = found["rest"].partition("/")
        if not _BUCKET.fullmatch(bucket) or not key or re.fullmatch(r"[0-9.]+", bucket):
            raise _refusal(address, "names no bucket and key", "s3://bucket/key")
    return scheme


def _host_of(address: str) -> tuple[str, int]:
    """Host and port. Raises UnreadableRaster for a user, a password or no plain host."""
    netloc = re.split(r"[/?#]", address.partition("://")[2], maxsplit=1)[0]
    if "@" in netloc:
        raise _refusal(
            address,
            "has a user or a password",
            "one without",
            "Keep them in a netrc file, or download the file and give its path.",
        )
    found = _HOST.fullmatch(netloc)
    port = int(found["port"][1:]) if found and found["port"] else 0
    if found is None or port > 65535:
        raise _refusal(address, "has no plain host", "http://host/path")
    return found["host"].strip("[]"), port or (443 if address.lower().startswith("https:") else 80)


def _refuse_private(address: str, host: str, port: int) -> None:
    """Raise UnreadableRaster unless all numbers that a host resolves to are public.

    Resolving understands every spelling of a number that a request would: 127.1, 0x7f000001.
    """
    try:
        found = _resolve(host, port)
    except (OSError, UnicodeError) as error:
        raise _refusal(
            address, "has a host that doesn't resolve", "a known one", "Check it, and the network."
        ) from error
    if not found or not all(map(is_public, found)):
        raise _refusal(
            address,
            "leads into this machine or its network",
            "a public one",
            f"The operator can allow it with {PRIVATE}=1.",
        )


def is_public(number: str) -> bool:
    """Whether an IP number is one of the public internet, also one that another is wrapped in."""
    found = ipaddress.ip_address(number.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        wrapped = [found.ipv4_mapped, found.sixtofour, *(found.teredo or ())]
        if inner := [str(one) for one in wrapped if one is not None]:
            return all(map(is_public, inner))
    closed = found.is_multicast or found.is_reserved or found.is_unspecified or found.is_link_local
    return found.is_global and not closed and not _CLOUDS.fullmatch(str(found))


def _resolve(host: str, port: int) -> list[str]:
    """All IP numbers of a host."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def _first_byte(address: str) -> tuple[int, dict[str, str]]:
    """Status and headers, their names in small letters, of a request for the first byte."""
    import requests  # slow to import, and most scenes are files

    headers = {"Range": "bytes=0-0", "Accept-Encoding": "identity"}
    wait = (PATIENCE / 6, PATIENCE / 3)  # s to connect, and between bytes
    try:
        with requests.Session() as session:
            asked = session.prepare_request(requests.Request("GET", address, headers))
            own = session.merge_environment_settings(address, {}, True, None, None)
            proved, proxies = own["verify"] or True, own["proxies"]  # its certificate, always
            # Not session.get: it looks where a redirect leads, and reads all that comes with it.
            send = session.get_adapter(address).send
            with send(asked, stream=True, timeout=wait, verify=proved, proxies=proxies) as answer:
                return answer.status_code, {k.lower(): v for k, v in answer.headers.items()}
    except (requests.RequestException, OSError, ValueError) as error:
        # The error's own text holds the whole address.
        found = "doesn't answer in time" if isinstance(error, requests.Timeout) else "can't be read"
        raise _refusal(
            address,
            f"{found} ({type(error).__name__})",
            "a server that answers",
            "Try again later, or download the file and give its path.",
        ) from None


def _refuse_status(address: str, status: int) -> None:
    """Raise UnreadableRaster unless a server sent the part that was asked for."""
    if status == 206:
        return
    if status == 200:
        raise _refusal(
            address,
            "can't be read in parts",
            "a server with range requests",
            "Download the file and give its path.",
        )
    remedy = _REMEDIES.get(status, "Try again later, or download the file and give its path.")
    raise _refusal(address, f"answers {status}", "a file that may be read", remedy)


def _within(seconds: float, address: str, ask: Callable[[], T]) -> T:
    """What a call returns or raises. Raises UnreadableRaster where it takes longer.

    A name server has no time limit of its own, and a server can send a byte now and then.
    """
    results: list[T] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            results.append(ask())
        except Exception as error:  # handed over to the caller
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)  # never waited for on leaving
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise _refusal(
            address,
            f"doesn't answer within {seconds:.0f} s",
            "a server that answers",
            "Try again later, or download the file and give its path.",
        )
    return results[0]


def _refusal(
    address: str, found: str, wanted: str, remedy: str = "Check the address."
) -> UnreadableRaster:
    """The error for an address, without its query, and with nothing in it that isn't plain."""
    name = without_query(address)
    plain = "".join(sign if sign.isprintable() else "?" for sign in name[:200])
    return UnreadableRaster(f"{plain} {found}; {wanted} is needed. {remedy}")

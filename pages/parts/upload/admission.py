"""What the upload route takes, and the one line it answers otherwise: found, wanted, remedy."""

import os
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import streamlit as st
from starlette.requests import Request

from pages.parts import state
from pages.parts.upload.upload_store import (
    BESIDE,
    ENTRY,
    GB,
    RASTERS,
    TOKEN,
    Refused,
    Sending,
    held,
    room,
    safe_name,
)

DEEPEST: Final = 8  # folders in folders; SAFE products have at most six
MOST_FILES: Final = 20_000  # a session


def most_bytes() -> int:
    """Bytes that one file may have: LANDSLIDE_MAX_UPLOAD_GB, else 20 GB."""
    return int(float(os.environ.get("LANDSLIDE_MAX_UPLOAD_GB", 20)) * GB)


def most_bytes_of_a_session() -> int:
    """Bytes that a session may keep: LANDSLIDE_MAX_SESSION_GB, else 100 GB."""
    return int(float(os.environ.get("LANDSLIDE_MAX_SESSION_GB", 100)) * GB)


def check_origin(request: Request) -> None:
    """Only the app's own pages send: a browser names their origin, and lets no page forge it."""
    origin = request.headers.get("origin", "")
    host = request.headers.get("host", "")
    listed = {str(o).rstrip("/") for o in st.get_option("server.corsAllowedOrigins") or ()}
    own = urlsplit(origin).netloc
    if origin not in listed and not (own and own.lower() == host.lower()):
        raise Refused(
            403,
            f"The request came from {origin or 'no page'!s:.100}; only pages of {host:.100} may "
            "send. Behind a proxy, list the app's address in `server.corsAllowedOrigins`.",
        )


def place(request: Request) -> tuple[Path, str]:
    """The session's folder, which must be there, and the entry. Raises Refused."""
    token, entry = request.path_params["token"], request.path_params["entry"]
    folder = state.uploads_of(token)
    if not TOKEN.fullmatch(token) or not folder.is_dir() or folder.is_symlink():
        raise Refused(404, "The server knows this page's session no more. Reload the page.")
    if not ENTRY.fullmatch(entry):
        raise Refused(400, "The upload has no proper number. Reload the page.")
    return folder, entry


def sending(request: Request) -> Sending:
    """What is to be sent, once all of it is allowed. Raises Refused."""
    folder, entry = place(request)
    names = [name for name in request.query_params.get("name", "").split("/") if name]
    parts = tuple(safe_name(name) for name in names)
    if not parts or len(parts) > DEEPEST or sum(map(len, parts)) > 1000:
        raise Refused(400, f"The file lies {len(parts)} folders deep; 1 to {DEEPEST} are taken.")
    endings = RASTERS if len(parts) == 1 else (*RASTERS, *BESIDE)
    if not parts[-1].lower().endswith(endings):
        raise Refused(
            415, f"{parts[-1]} is none of {', '.join(endings)}. Send rasters, or products zipped."
        )
    sending = Sending(folder / entry, parts, _number(request, "size"), _number(request, "count", 1))
    if not 0 < sending.size <= most_bytes():
        raise Refused(
            413,
            f"{parts[-1]} has {sending.size / GB:.3g} GB; 1 byte to {most_bytes() / GB:g} GB are "
            "taken. Put it into the server folder, or raise LANDSLIDE_MAX_UPLOAD_GB.",
        )
    real = folder.resolve()
    if not sending.part.parent.resolve().is_relative_to(real) or sending.part.is_symlink():
        raise Refused(400, f"{parts[-1]} would lie outside of the session's folder. Rename it.")
    return sending


def _number(request: Request, name: str, usual: int = 0) -> int:
    text = request.query_params.get(name, str(usual))
    if not text.isascii() or not text.isdecimal() or len(text) > 15:
        raise Refused(400, f"`{name}` is {text:.20}; a whole number is needed. Reload the page.")
    return int(text)


def begin(request: Request, sending: Sending) -> int:
    """Where to go on, once the request agrees and the file has room. Raises Refused."""
    there, offset = sending.there(), _number(request, "offset")
    if offset != there:
        raise Refused(
            409, f"The slice begins at byte {offset}; {there} bytes are there. Go on there.", there
        )
    if int(request.headers.get("content-length", "0")) > sending.size - there:
        raise Refused(
            413, f"The slice ends after byte {sending.size}, the file's last. Send it anew.", there
        )
    check_room(sending, there)
    sending.part.parent.mkdir(parents=True, exist_ok=True)
    return there


def check_room(sending: Sending, there: int) -> None:
    """Raise Refused where the session's share or the disk is too small for what is missing."""
    folder = sending.home.parent
    if not there:
        kept, files = held(folder)
        most = most_bytes_of_a_session()
        if kept + sending.size > most or files >= MOST_FILES:
            raise Refused(
                413,
                f"With {sending.parts[-1]} this session has {(kept + sending.size) / GB:.3g} GB "
                f"in {files + 1} files; {most / GB:g} GB in {MOST_FILES} are kept. Remove some.",
            )
    check_disk(sending, sending.size - there)


def check_disk(sending: Sending, missing: int) -> None:
    """Raise Refused where the disk has no room for the bytes missing."""
    if missing > (free := room(sending.home.parent)):
        raise Refused(
            507,
            f"The server's disk has room for {max(free, 0) / GB:.3g} GB; {missing / GB:.3g} GB "
            "are still to come. Remove uploads or runs, then retry.",
        )

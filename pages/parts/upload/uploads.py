"""Files from the browser: kept apart by upload, so that neither name nor size confuses two."""

import hashlib
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import streamlit as st

from pages.parts import scripts, serving, state
from pages.parts.upload import admission, sweeping
from pages.parts.upload.upload_store import (
    BESIDE,
    RASTERS,
    Entry,
    entries,
    rasters,
    safe_name,
)

_COMPONENT: Final = st.components.v2.component(
    "landslide_upload",
    html=(scripts.BROWSER / "upload.html").read_text(),
    css=(scripts.BROWSER / "upload.css").read_text(),
    js=scripts.module("app_root.js", "upload.js", "upload_rows.js"),
)


class Sent(Protocol):
    """What Streamlit hands over for an uploaded file."""

    name: str
    file_id: str  # of this upload: the same file sent again has another

    def getbuffer(self) -> memoryview: ...


def panel(key: str, unusable: Callable[[str, Path], bool]) -> dict[str, Path]:
    """Draw the place to drop files of any size; what is there whole, by name.

    A SAFE folder is one entry; another folder's rasters are named by their path in it. What is
    `unusable`, by name and path, is marked in the list.
    """
    key = f"upload-{key}"  # no other part's word in the session's state
    if not serving.are_routes_there():
        return _small(key)
    state.once("uploads swept", sweeping.sweep)
    _COMPONENT(
        key=key,
        data=_shown(key, unusable),
        on_session_change=lambda: state.adopt_uploads(_said(key, "session")),
        on_changed_change=lambda: None,
    )
    found = [pair for entry in entries(state.uploads_folder()) for pair in rasters(entry).items()]
    return labelled([path for _, path in found], [name for name, _ in found])


def _shown(key: str, unusable: Callable[[str, Path], bool]) -> dict[str, Any]:
    """What the browser's side is told."""
    folder = state.uploads_folder()
    folder.mkdir(parents=True, exist_ok=True)  # from now on the route takes files for it
    return {
        "token": state.uploads_token(),
        "asked": _said(key, "session"),
        "endings": [*RASTERS, *BESIDE],
        "alone": list(RASTERS),
        "most": admission.most_bytes(),
        "entries": [
            {
                **{"id": entry.id, "name": entry.name, "size": entry.size, "there": entry.there},
                **{"whole": bool(entry.path), "refused": refused(entry, unusable)},
            }
            for entry in entries(folder)
        ],
    }


def refused(entry: Entry, unusable: Callable[[str, Path], bool]) -> str:
    """What is wrong with an upload as a whole, in few words; "" where some of it is of use."""
    if entry.path is None:
        return ""
    inside = rasters(entry)
    if not inside:
        return "Holds no raster"
    return "Cannot be used" if all(unusable(name, path) for name, path in inside.items()) else ""


def _said(key: str, name: str) -> str:
    """The last value of the component's state, before it is drawn too."""
    return str(state.component(key).get(name) or "")


def _small(key: str) -> dict[str, Path]:
    """Streamlit's own uploader, which keeps files in memory: where there are no routes."""
    cap = st.get_option("server.maxUploadSize")
    files = st.file_uploader(
        f"GeoTIFF, JPEG 2000 or zipped SAFE, up to {cap} MB a file; larger ones need the app to "
        "be started with `streamlit run app.py`, or belong in the server folder.",
        type=[ending[1:] for ending in RASTERS],
        accept_multiple_files=True,
        key=key,
    )
    return keep(files or [], state.uploads_folder())


def keep(files: Iterable[Sent], folder: Path) -> dict[str, Path]:
    """Write files to FOLDER/UPLOAD/NAME; paths by name, "VV.tif (2)" where names repeat."""
    paths = []
    for file in files:
        path = folder / safe_name(file.file_id) / safe_name(file.name)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_name(f".{path.name}")  # a file is there whole or not at all
            partial.write_bytes(file.getbuffer())
            partial.replace(path)
        paths.append(path)
    return labelled(paths)


def labelled(paths: Sequence[Path], names: Sequence[str] | None = None) -> dict[str, Path]:
    """Paths by name, their file's unless given, with an ordinal where names repeat."""
    names = names or [path.name for path in paths]
    often = Counter(names)
    seen: Counter[str] = Counter()
    labels = {}
    for name, path in zip(names, paths, strict=True):
        seen[name] += 1
        labels[f"{name} ({seen[name]})" if often[name] > 1 else name] = path
    return labels


def side_by_side(paths: Sequence[Path], folder: Path) -> list[Path]:
    """The same files in one folder of their own, linked: the reader takes bands that lie
    together for one product. Where names repeat, the first ones make one folder, and so on.
    Those that came in a folder stay there, beside their metadata.
    """
    if len({path.parent for path in paths}) == 1:
        return list(paths)
    seen: Counter[str] = Counter()
    products: dict[int, list[Path]] = {}
    for path in paths:
        products.setdefault(seen[path.name], []).append(path)
        seen[path.name] += 1
    placed = []
    for members in products.values():
        if len(members) == 1:
            placed += members
            continue
        uploads = " ".join(path.parent.name for path in members)
        home = folder / f"product-{hashlib.sha256(uploads.encode()).hexdigest()[:16]}"
        home.mkdir(exist_ok=True)
        placed += [_linked(path, home / path.name) for path in members]
    return placed


def _linked(path: Path, to: Path) -> Path:
    if not to.exists():
        try:
            os.link(path, to)
        except OSError:  # a file system without hard links
            shutil.copy2(path, to)
    return to

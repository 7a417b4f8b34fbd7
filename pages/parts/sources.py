"""Choosing a scene's files: the sample, the server's folder, or small uploads."""

import re
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Final

import streamlit as st

from landslide_core.readers.inputs import SceneInputs
from pages.parts import state, theme

ENDINGS: Final = (".tif", ".tiff", ".jp2")
ROLES: Final = tuple(theme.ROLE_WORDS)
MOST_LISTED: Final = 2000
Choice = tuple[SceneInputs, str]


def guess_role(name: str) -> str | None:
    """The role a path speaks of, e.g. "s1_desc_pre.tif" -> "desc_pre"; None if unclear."""
    words = re.split(r"[^a-z0-9]+", name.lower())

    def says(*stems: str) -> bool:
        return any(word.startswith(stem) for word in words for stem in stems)

    if says("truth", "label", "mask", "verdict", "probability", "spread"):
        return None
    if says("s2", "sentinel2", "msi", "optical", "scl"):
        return "s2"
    orbit_pass = "desc" if says("desc", "dsc") else "asc" if says("asc") else None
    time = "pre" if says("pre", "before") else "post" if says("post", "after") else None
    return f"{orbit_pass}_{time}" if orbit_pass and time else None


def list_rasters(folder: Path) -> list[Path]:
    """Rasters in a folder and below it, by name; the first MOST_LISTED of them."""
    found = (p for p in folder.rglob("*") if p.suffix.lower() in ENDINGS and p.is_file())
    return sorted(islice(found, MOST_LISTED))


def inputs_from(roles: Mapping[str, Iterable[Path]]) -> SceneInputs:
    """Files by role as the reader takes them."""
    s2, desc_pre, desc_post, asc_pre, asc_post = (tuple(roles.get(role, ())) for role in ROLES)
    return SceneInputs(s2, desc_pre, desc_post, asc_pre, asc_post)


def sample() -> Choice | None:
    """The bundled sample, or what to do where it is missing."""
    roles = guess_roles(list_rasters(state.SAMPLE), state.SAMPLE)
    if not any(roles.values()):
        st.info("The sample is not here yet. Write it with `landslide sample`, then reload.")
        return None
    return inputs_from(roles), "sample"


def guess_roles(files: list[Path], folder: Path) -> dict[str, list[Path]]:
    """Files by guessed role; where they lie in several folders, which to take is not guessed."""
    guesses = {path: guess_role(str(path.relative_to(folder))) for path in files}
    roles = {role: [path for path in files if guesses[path] == role] for role in ROLES}
    return {
        r: found if len({p.parent for p in found}) == 1 and len(found) < 15 else []
        for r, found in roles.items()
    }


def server_files() -> Choice | None:
    """One multi-select a role over the server folder's rasters, filled in by their names."""
    folder = state.data_folder()
    files = list_rasters(folder)
    if not files:
        st.info(
            f"There is no .tif, .tiff or .jp2 file in `{folder}`. Put scenes there, or point "
            "`LANDSLIDE_DATA` at another folder and restart."
        )
        return None
    roles = _assign(files, folder)
    return _choice(roles, folder.name)


def uploads() -> Choice | None:
    """Small files from the browser, kept in this session's own folder."""
    folder = state.uploads_folder()
    cap = st.get_option("server.maxUploadSize")
    files = st.file_uploader(
        f"GeoTIFF or JPEG 2000, up to {cap} MB a file; larger ones belong in the server folder.",
        type=[ending[1:] for ending in ENDINGS],
        accept_multiple_files=True,
        key="uploader",
    )
    if not files:
        st.info(
            "Drop the Sentinel-2 file and the Sentinel-1 files before and after the event here. "
            "Any subset works; what is missing will be listed."
        )
        return None
    kept = []
    for file in files:
        path = folder / safe_name(file.name)
        if not path.exists() or path.stat().st_size != file.size:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file.getbuffer())
        kept.append(path)
    roles = _assign(kept, folder)
    return _choice(roles, "upload")


def safe_name(name: str) -> str:
    """A file name without folders or odd characters, at most 120 characters long."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "_", re.split(r"[/\\]", name)[-1]).lstrip(".")
    return stem[-120:] or "file"


def _assign(files: list[Path], folder: Path) -> dict[str, list[Path]]:
    """Let the user say which file is what."""
    guessed = guess_roles(files, folder)
    names = {str(path.relative_to(folder)): path for path in files}
    chosen: dict[str, list[Path]] = {}
    columns = st.columns(2)
    for i, role in enumerate(ROLES):
        picked = columns[i % 2].multiselect(
            theme.ROLE_WORDS[role],
            list(names),
            default=[str(path.relative_to(folder)) for path in guessed[role]],
            key=f"role_{folder}_{role}",
            placeholder="No file",
        )
        chosen[role] = [names[name] for name in picked]
    return chosen


def _choice(roles: Mapping[str, list[Path]], name: str) -> Choice | None:
    if any(roles.values()):
        return inputs_from(roles), name
    st.info("Give at least one file a role to go on.")
    return None

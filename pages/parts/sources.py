"""Choosing a scene's files: the sample, the server's folder, small uploads, or what was found."""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath
from typing import Any, Final

import streamlit as st

from landslide_core.readers.given import ROLES, SceneInputs
from pages.parts import state, theme, wording
from pages.parts.uploads import keep, side_by_side

ENDINGS: Final = (".tif", ".tiff", ".jp2", ".zip")
MOST_LISTED: Final = 2000
Choice = tuple[SceneInputs, str]


def guess_role(name: str) -> str | None:
    """The role a path speaks of, e.g. "s1_desc_pre.tif" -> "desc_pre"; None if unclear."""
    words = re.split(r"[^a-z0-9]+", name.lower())

    def says(*stems: str) -> bool:
        return any(word.startswith(stem) for word in words for stem in stems)

    if says("truth", "label", "mask", "verdict", "probability", "spread"):
        return None
    if says("dem", "srtm", "elevation"):
        return "dem"
    if says("s2", "sentinel2", "msi", "optical", "scl"):
        return "s2"
    orbit_pass = "desc" if says("desc", "dsc") else "asc" if says("asc") else None
    time = "pre" if says("pre", "before") else "post" if says("post", "after") else None
    return f"{orbit_pass}_{time}" if orbit_pass and time else None


def list_rasters(folder: Path) -> list[Path]:
    """Rasters, zips and SAFE products in a folder and below it; the first MOST_LISTED of them.

    A product is one entry, not its hundred files.
    """
    found = []
    for top, folders, files in os.walk(folder):
        found += [Path(top, name) for name in folders if _is_safe(name)]
        folders[:] = [n for n in folders if not (_is_safe(n) or n.startswith("."))]
        found += [Path(top, name) for name in files if name.lower().endswith(ENDINGS)]
        if len(found) >= MOST_LISTED:
            break
    return sorted(found[:MOST_LISTED])


def inputs_from(roles: Mapping[str, Iterable[Path]]) -> SceneInputs:
    """Files by role as the reader takes them."""
    given: dict[str, Any] = {role: tuple(roles.get(role, ())) for role in ROLES}
    return SceneInputs(**given)


def sample() -> Choice | None:
    """The bundled sample, or what to do where it is missing."""
    files = _below(state.SAMPLE)
    roles = {role: [files[n] for n in names] for role, names in guess_roles(files).items()}
    if not any(roles.values()):
        st.info("The sample is not here yet. Write it with `landslide sample`, then reload.")
        return None
    return inputs_from(roles), "sample"


def _is_safe(name: str) -> bool:
    return name.upper().endswith(".SAFE")


def _below(folder: Path) -> dict[str, Path]:
    """Rasters of a folder, by their path in it."""
    return {str(path.relative_to(folder)): path for path in list_rasters(folder)}


def guess_roles(names: Iterable[str]) -> dict[str, list[str]]:
    """Names by guessed role; where several folders have a say, which to take is not guessed."""
    guesses = {name: guess_role(name) for name in names}
    roles = {role: [name for name in guesses if guesses[name] == role] for role in ROLES}
    return {
        role: found
        if len({PurePath(name).parent for name in found}) == 1 and len(found) < 15
        else []
        for role, found in roles.items()
    }


def server_files() -> Choice | None:
    """One multi-select a role over the server folder's rasters, filled in by their names."""
    folder = state.data_folder()
    files = _below(folder)
    if not files:
        st.info(
            f"There is no .tif, .jp2, .zip or .SAFE in `{folder}`. Put scenes there, or point "
            "`LANDSLIDE_DATA` at another folder and restart."
        )
        return None
    return _choice(_assign(files, guess_roles(files)), folder.name)


def found() -> Choice | None:
    """The scene last loaded from a catalogue."""
    loaded = state.loaded_scene()
    if loaded is None:
        st.info("Nothing was loaded from a catalogue yet. Find scenes by place and date first.")
        if st.button("Find scenes", icon=":material/travel_explore:"):
            st.switch_page("find.py")
        return None
    fetched, name = loaded
    for warning in fetched.warnings:
        theme.warning(warning)
    folder = next(Path(p).parent for role in ROLES for p in fetched.inputs.given(role))
    st.caption(f"Loaded for the area and day chosen, into {wording.literal(str(folder))}.")
    return fetched.inputs, name


def uploads() -> Choice | None:
    """Small files from the browser, kept in this session's own folder."""
    folder = state.uploads_folder()
    cap = st.get_option("server.maxUploadSize")
    files = st.file_uploader(
        f"GeoTIFF, JPEG 2000 or zipped SAFE, up to {cap} MB a file; larger ones belong in the "
        "server folder.",
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
    kept = keep(files, folder)
    sure = [label for label in kept if not label.endswith(")")]  # the name is not given twice
    roles = _assign(kept, guess_roles(sure))
    return _choice({r: side_by_side(paths, folder) for r, paths in roles.items()}, "upload")


def _assign(files: Mapping[str, Path], guessed: Mapping[str, list[str]]) -> dict[str, list[Path]]:
    """Let the user say which file is what."""
    chosen: dict[str, list[Path]] = {}
    columns = st.columns(2)
    for i, role in enumerate(ROLES):
        picked = columns[i % 2].multiselect(
            theme.ROLE_WORDS[role],
            list(files),
            default=guessed[role],
            key=f"role_{role}_{hash(tuple(files.values()))}",  # other files: guess anew
            placeholder="No file",
        )
        chosen[role] = [files[name] for name in picked]
    return chosen


def _choice(roles: Mapping[str, list[Path]], name: str) -> Choice | None:
    if any(roles.values()):
        return inputs_from(roles), name
    st.info("Give at least one file a role to go on.")
    return None

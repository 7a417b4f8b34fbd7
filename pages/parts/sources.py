"""Choosing a scene's files: the sample, the server's folder, or small uploads."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path, PurePath
from typing import Final

import streamlit as st

from landslide_core.readers.inputs import SceneInputs
from pages.parts import state, theme
from pages.parts.uploads import keep, side_by_side

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
    files = _below(state.SAMPLE)
    roles = {role: [files[n] for n in names] for role, names in guess_roles(files).items()}
    if not any(roles.values()):
        st.info("The sample is not here yet. Write it with `landslide sample`, then reload.")
        return None
    return inputs_from(roles), "sample"


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
            f"There is no .tif, .tiff or .jp2 file in `{folder}`. Put scenes there, or point "
            "`LANDSLIDE_DATA` at another folder and restart."
        )
        return None
    return _choice(_assign(files, guess_roles(files)), folder.name)


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
    kept = keep(files, folder)
    sure = [label for label in kept if not label.endswith(")")]  # the name is not given twice
    roles = _assign(kept, guess_roles(sure))
    return _choice({r: side_by_side(paths, folder) for r, paths in roles.items()}, "upload")


def reading_options(inputs: SceneInputs, key: str) -> SceneInputs:
    """What the files do not say of themselves, and errors and warnings may ask for."""
    if not inputs.s2:
        return inputs
    with st.expander("Reading options", icon=":material/tune:"):
        names, offset = st.columns(2)
        typed = names.text_input(
            "Sentinel-2 band names (--s2-bands)",
            key=f"s2-bands-{key}",
            placeholder="As the files say",
            help="Of a stack whose bands have no names, in the file's order: B02, B03, B04, B08.",
        )
        added = offset.number_input(
            "Sentinel-2 offset (--s2-offset)",
            value=None,
            step=100.0,
            format="%.0f",
            key=f"s2-offset-{key}",
            placeholder="As the files say",
            help="Added to the digital numbers: −1000 for processing baseline 04.00 and later, "
            "0 before. Empty: decided from metadata and pixels.",
        )
    return replace(inputs, s2_bands=tuple(re.findall(r"[^\s,;]+", typed)) or None, s2_offset=added)


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

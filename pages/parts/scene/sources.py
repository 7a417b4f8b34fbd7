"""Where a scene's files come from: the sample, the server's folder, uploads, or what was found."""

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final

import streamlit as st

from landslide_core.readers.given import ROLES, SceneInputs
from landslide_core.readers.sentinel1 import TOKEN as POLARISATION
from landslide_core.readers.sentinel2 import band_of
from pages.parts import state, theme, wording
from pages.parts.scene import cached_scene, remarks
from pages.parts.upload import uploads

ENDINGS: Final = (".tif", ".tiff", ".jp2", ".zip")
MOST_LISTED: Final = 2000
MOST_TOLD: Final = 2000  # letters of names that the address takes; browsers and proxies cut it
_IN_ADDRESS: Final = "file"
FEW: Final = 12  # files of a server folder that are all taken at first


def _as_they_are(paths: Sequence[Path]) -> list[Path]:
    return list(paths)


@dataclass(frozen=True)
class Files:
    """What was brought in: files, folders and archives by the name they are shown under."""

    paths: Mapping[str, Path]
    name: str  # of the scene
    event: date | None = None
    roles: Mapping[Path, str] = field(default_factory=dict)  # where they are known already
    placed: Callable[[Sequence[Path]], list[Path]] = _as_they_are  # before a role's are read

    def inputs(self, roles: Mapping[str, Sequence[Path]]) -> SceneInputs:
        """Files by role as the reader takes them."""
        return inputs_from({role: self.placed(paths) for role, paths in roles.items()})


def inputs_from(roles: Mapping[str, Iterable[Path]]) -> SceneInputs:
    """Files by role as the reader takes them."""
    given: dict[str, Any] = {role: tuple(roles.get(role, ())) for role in ROLES}
    return SceneInputs(**given)


def key_of(files: Files) -> str:
    """The same for the same files: what is corrected stays while they do."""
    paths = "\n".join(map(str, files.paths.values()))
    return hashlib.sha256(paths.encode()).hexdigest()[:16]


def sample() -> Files | None:
    """The bundled sample, or what to do where it is missing."""
    files = {path.name: path for path in list_rasters(state.SAMPLE)}
    if not files:
        st.info("The sample is not here yet. Write it with `landslide sample`, then reload.")
        return None
    return Files(files, "sample")


def server_files() -> Files | None:
    """What the user picks of the server's folder: files, products, whole folders."""
    folder = state.data_folder()
    listed = {str(path.relative_to(folder)): [path] for path in list_rasters(folder)}
    if not listed:
        st.info(
            f"There is no .tif, .jp2, .zip or .SAFE in `{folder}`. Put scenes there, or point "
            "`LANDSLIDE_DATA` at another folder and restart."
        )
        return None
    every = {**_folders(listed), **listed}
    usual = list(listed) if len(listed) <= FEW else []
    before = state.kept("server files", state.asked_all(_IN_ADDRESS) or usual)
    before = [name for name in before if name in every]
    chosen = st.multiselect(
        f"Files and folders of {wording.literal(folder.name)}",
        list(every),
        default=before,
        key=f"server-files-{hash(folder)}",
        placeholder="Type a part of a name; a folder brings in all that lies below it",
    )
    state.keep("server files", chosen)
    told = chosen if chosen != usual and sum(map(len, chosen)) < MOST_TOLD else []
    state.show_all_in_address(_IN_ADDRESS, told)
    if not chosen:
        st.info("Choose the files of one place: images from after the event, and from before it.")
        return None
    paths = dict.fromkeys(path for name in chosen for path in every[name])
    return Files({str(path.relative_to(folder)): path for path in paths}, folder.name)


def uploaded() -> Files | None:
    """Files from the browser, kept in this session's own folder."""
    files = uploads.panel("uploads", _unusable)
    if not files:
        st.info(
            "Drop Sentinel-2 from after the event and Sentinel-1 from before and after it here. "
            "Any subset works; what is missing will be listed."
        )
        return None
    folder = state.uploads_folder()
    return Files(files, "upload", placed=lambda paths: uploads.side_by_side(paths, folder))


def no_server_files() -> None:
    """Files of another source: the address names none of the server's."""
    state.show_all_in_address(_IN_ADDRESS, [])


def _unusable(name: str, path: Path) -> bool:
    """Whether an upload is no input, whatever role it gets."""
    return bool(remarks.refusal(cached_scene.recognised(path, name)))


def found() -> Files | None:
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
    roles = {Path(path): role for role in ROLES for path in fetched.inputs.given(role)}
    st.caption(
        "Loaded for the area and day chosen, into "
        f"{wording.literal(next(iter(roles)).parent.name)}."
    )
    return Files({path.name: path for path in roles}, name, fetched.inputs.event, roles)


def list_rasters(folder: Path) -> list[Path]:
    """Rasters, archives and products in a folder and below it; the first MOST_LISTED of them.

    A product is one entry, not its hundred files: a SAFE, or a folder of one file a band.
    """
    found: list[Path] = []
    for top, folders, files in os.walk(folder):
        found += [Path(top, name) for name in folders if _is_safe(name)]
        folders[:] = [n for n in folders if not (_is_safe(n) or n.startswith("."))]
        rasters = [name for name in files if name.lower().endswith(ENDINGS)]
        if Path(top) != folder and _is_product(rasters):
            found.append(Path(top))
        else:
            found += [Path(top, name) for name in rasters]
        if len(found) >= MOST_LISTED:
            break
    return sorted(found[:MOST_LISTED])


def _is_safe(name: str) -> bool:
    return name.upper().endswith(".SAFE")


def _is_product(names: Sequence[str]) -> bool:
    """Whether files of one folder are the bands of one product: each another band, by name."""
    bands = [_band(Path(name).stem) for name in names]
    return len(names) > 1 and None not in bands and len(set(bands)) == len(bands)


def _band(stem: str) -> str | None:
    """ "VH" or "B02" from the name of a file that holds one band."""
    radar = POLARISATION.search(stem)
    return radar[1].upper() if radar else band_of(stem)


def _folders(listed: Mapping[str, list[Path]]) -> dict[str, list[Path]]:
    """Folders that hold several of the listed, by their path with a stroke at the end."""
    below: dict[str, list[Path]] = {}
    for name, paths in listed.items():
        for parent in Path(name).parents:
            if parent != Path("."):
                below.setdefault(f"{parent}/", []).extend(paths)
    return {name: paths for name, paths in sorted(below.items()) if len(paths) > 1}

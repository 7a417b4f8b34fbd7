"""What the files don't say of themselves: asked where an error or a warning may ask for it."""

import re
from collections.abc import Container, Mapping
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Final

import streamlit as st

from landslide_core.readers.files import expand
from landslide_core.readers.given import SceneInputs
from landslide_core.readers.raster import RasterFile, inspect
from landslide_core.readers.sentinel2 import L2A_ORDER, LAYERS, WANTED, band_of
from pages.parts import state, wording
from pages.parts.scene import address
from pages.parts.scene.sources import Files, key_of

FIRST: Final = date(2014, 4, 3)  # Sentinel-1A's launch
NONE: Final = "Not used"
MEANINGS: Final = (NONE, *WANTED, *LAYERS, *(band for band in L2A_ORDER if band not in WANTED))
REACHES: Final = range(1001)  # m
MOST_ADDED: Final = 65535.0  # digital numbers
SPECKLE: Final = {0: "None", 5: "Lee, 5 × 5", 7: "Lee, 7 × 7"}


def event(kind: str, files: Files, usual: date | None) -> date | None:
    """The day of the event; `usual` is what the files themselves say.

    A day holds while any of the files is there that were when it was given: the day of another
    scene would move images to the wrong side of the event, silently.
    """
    paths = frozenset(files.paths.values())
    given, of = _day_and_files(kind)
    if not of & paths:
        given, of = _day_of_address(), paths
    day = st.date_input(
        "Day of the event",
        value=given or usual,
        min_value=FIRST,
        max_value="today",
        format="YYYY-MM-DD",
        key=f"event-{kind}-{key_of(files)}-{usual}",
        help="What was taken before it and after it decides the files' roles.",
    )
    chosen = day if day != usual else None
    state.keep(f"event {kind}", (chosen, of if chosen == given else paths))
    state.show_in_address("event", chosen.isoformat() if chosen else "")
    return day


def no_files() -> None:
    """Without files the address says nothing of any, but for what a reload has still to find."""
    if state.kept("address read", False):
        state.show_in_address("event", "")
        address.forget()


def _day_and_files(kind: str) -> tuple[date | None, frozenset[Path]]:
    """The day last given, and the files that were there then."""
    kept: tuple[date | None, frozenset[Path]] = state.kept(f"event {kind}", (None, frozenset()))
    return kept


def _day_of_address() -> date | None:
    """The day in the address, for the first files of a session: those that a reload finds."""
    if state.kept("address read", False):
        return None
    state.keep("address read", True)
    return day_in(state.asked("event"))


def day_in(text: str) -> date | None:
    """A day as the address writes it, 2021-06-15; None for anything else."""
    try:
        day = datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError:
        return None
    return day if day.isoformat() == text and FIRST <= day <= date.today() else None


def options(inputs: SceneInputs, key: str, files: str) -> SceneInputs:
    """The reading options of a scene; `key` keeps apart what is typed for different sources.

    For the same `files`, by their key, they are found again after another page or a reload.
    """
    said = address.said_of("reading", files)
    with st.expander("Reading options", icon=":material/tune:"):
        left, right = st.columns(2)
        cloud, speckle = f"cloud-{key}", f"speckle-{key}"
        state.start_widgets(
            {
                cloud: _whole(said.get("cloud", ""), REACHES),
                speckle: _whole(said.get("speckle", ""), SPECKLE),
            }
        )
        inputs = replace(
            inputs,
            cloud_dilation=left.number_input(
                "Cloud reaches farther by (m)",
                REACHES[0],
                REACHES[-1],
                step=10,
                key=cloud,
                help="Around what the cloud layers say.",
            ),
            speckle=right.selectbox(
                "Speckle filter",
                list(SPECKLE),
                format_func=SPECKLE.__getitem__,
                key=speckle,
                help="The model was fitted on unfiltered radar: filter only to compare.",
            ),
        )
        if inputs.s2:
            inputs = _optical(inputs, key, said)
    address.say_of("reading", files, _said(inputs))
    return inputs


def _optical(inputs: SceneInputs, key: str, said: Mapping[str, str]) -> SceneInputs:
    """What Sentinel-2 files may leave open: the bands of a stack, and the offset."""
    left, right = st.columns(2)
    key = _of_image(inputs, key)
    names, offset = f"s2-bands-{key}", f"s2-offset-{key}"
    state.fill_named_bands(names)
    state.start_widgets({names: said.get("bands", ""), offset: _number(said.get("offset", ""))})
    typed = left.text_input(
        "Sentinel-2 band names",
        key=names,
        placeholder="As the files say",
        help="Of a stack whose bands have no names, in the file's order: B02, B03, B04, B08.",
    )
    added = right.number_input(
        "Sentinel-2 offset",
        value=None,
        step=100.0,
        format="%.0f",
        key=offset,
        placeholder="As the files say",
        help="Added to the digital numbers: −1000 for processing baseline 04.00 and later, "
        "0 before. Empty: decided from metadata and pixels.",
    )
    return replace(inputs, s2_bands=tuple(re.findall(r"[^\s,;]+", typed)) or None, s2_offset=added)


def _whole(text: str, known: Container[int]) -> int:
    """A whole number that is known; 0 for any other text."""
    return int(text) if text.isdecimal() and len(text) < 9 and int(text) in known else 0


def _number(text: str) -> float | None:
    """A digital number to add; None for any other text."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) <= MOST_ADDED else None


def _said(inputs: SceneInputs) -> dict[str, str]:
    """Options that differ from the usual ones, as the address has them."""
    said = {"cloud": inputs.cloud_dilation, "speckle": inputs.speckle}
    found = {name: f"{value:g}" for name, value in said.items() if value}
    if inputs.s2_bands:
        found["bands"] = " ".join(inputs.s2_bands)
    if inputs.s2_offset is not None:
        found["offset"] = f"{inputs.s2_offset:g}"
    return found


def _of_image(inputs: SceneInputs, key: str) -> str:
    """A key for what is typed of Sentinel-2 files, another once none of them is there any more.

    The offset of one image would be added to the next, silently.
    """
    given = frozenset(map(str, inputs.s2))
    kept: tuple[frozenset[str], int] = state.kept(f"optical {key}", (given, 0))
    last, images = kept
    images += not last & given
    state.keep(f"optical {key}", (given, images))
    return f"{key}-{images}" if images else key


def name_bands(inputs: SceneInputs, key: str) -> None:
    """A button for stacks whose bands nobody named, or named wrongly: it opens the dialog."""
    stacks = [file for file in map(inspect, expand(inputs.s2)) if file.count > 1]
    if stacks and st.button("Say which band is which", icon=":material/label:"):
        _mapping(stacks[0], _of_image(inputs, key))


@st.dialog("Which band is which?")
def _mapping(file: RasterFile, key: str) -> None:
    """One choice a band; what is chosen becomes the text of the option."""
    st.caption(
        f"{wording.escaped(file.place.name)} holds {file.count} bands. Red, green, blue and near "
        "infrared (B04, B03, B02, B08) are needed; the others are left alone."
    )
    chosen = []
    columns = st.columns(2)
    for i, name in enumerate(file.names):
        guess = band_of(name) or NONE
        chosen.append(
            columns[i % 2].selectbox(
                f"Band {i + 1}" + (f", {wording.escaped(name)}" if name else ""),
                MEANINGS,
                index=MEANINGS.index(guess) if guess in MEANINGS else 0,
                key=f"band-{i}-{key}",
            )
        )
    lacking = [band for band in WANTED if chosen.count(band) != 1]
    if lacking:
        st.caption(f"Needed once each: {', '.join(lacking)}.")
    if st.button("Use these", type="primary", disabled=bool(lacking)):
        names = ",".join("other" if name == NONE else name for name in chosen)
        state.name_bands(f"s2-bands-{key}", names)
        st.rerun()

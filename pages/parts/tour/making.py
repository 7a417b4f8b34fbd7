"""The run that the tour walks over: found by the sample's own files, or made now."""

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Final

import streamlit as st

from landslide_core.bands import RADAR_ROLES, TILE
from landslide_core.errors import LandslideError, RunDamaged
from landslide_core.folder import Run, check_inputs
from landslide_core.manifest import identity_of
from landslide_core.plan import RunOptions
from landslide_core.readers.given import SceneInputs
from landslide_core.simulate import EVENT
from pages.parts import cached, state, theme, wording
from pages.parts.run import jobs, running
from pages.parts.scene.sources import inputs_from
from pages.parts.tour import cached_tour

OPTICAL: Final = ("s2.tif", "scl.tif")
TRUTH: Final = "truth.geojson"
NAME: Final = "sample"


def truth() -> Path:
    """The outlines of the sample's landslides."""
    return state.SAMPLE / TRUTH


def missing() -> list[str]:
    """Names of the sample's files that are not there."""
    radar = [f"s1_{role}.tif" for role in RADAR_ROLES]
    return [name for name in (*OPTICAL, *radar, TRUTH) if not (state.SAMPLE / name).is_file()]


def inputs() -> SceneInputs:
    """The sample's files by role."""
    files = {"s2": OPTICAL} | {role: (f"s1_{role}.tif",) for role in RADAR_ROLES}
    given = inputs_from(
        {role: [state.SAMPLE / name for name in names] for role, names in files.items()}
    )
    return replace(given, event=date.fromisoformat(EVENT))


def newest() -> tuple[Run | None, list[str]]:
    """The newest finished run of the sample that can be explained; else what is wrong with some."""
    wanted = cached_tour.hashes(inputs())
    trouble = []
    for folder in state.runs():
        try:
            record = cached_tour.record(folder)
            if _files(record) != wanted or record["stride"] != TILE:  # shares of ground as of tiles
                continue
            run = cached.run(folder)
            _check(run)
            return run, []
        except LandslideError as error:
            trouble.append(str(error))
    return None, trouble


def _files(meta: dict[str, object]) -> set[tuple[str, str]]:
    """Role and SHA-256 of what a run was made from."""
    found = meta["inputs"]
    assert isinstance(found, list)
    return {(entry["role"], str(entry["sha256"])) for entry in found}


def _check(run: Run) -> None:
    """Raise where a run's tiles cannot be explained any more."""
    check_inputs(run)
    if identity_of(run.bundle_path) != run.meta["bundle"]["sha256"]:
        raise RunDamaged(
            f"The bundle at {run.bundle_path} has changed since run {run.folder.name} was made, "
            "so its votes cannot be shown. Run the sample again."
        )


def offer(trouble: list[str]) -> None:
    """Make the run that is needed, or watch it being made."""
    mine = inputs().record()
    under_way = [job for job in running.under_way() if job.inputs.record() == mine]
    for line in trouble[:1]:
        theme.warning(line)
    if under_way:
        if not all(job.over for job in under_way):
            st.info("The tour begins by itself once the run is there.", icon=":material/hourglass:")
        running.watch(under_way)
        return
    bundles = state.bundles()
    if not bundles:
        st.warning(
            f"There is no model bundle in {wording.literal(str(state.models_folder()))}. Train "
            "one with `landslide train`, or copy one there."
        )
        return
    st.info("The tour walks over a finished run of the sample, and there is none yet.")
    if st.button("Run the sample now", type="primary", icon=":material/play_arrow:"):
        try:
            jobs.start(inputs(), RunOptions(bundle=bundles[0]), _free())
        except LandslideError as error:
            theme.problem(error)
            return
        st.rerun()


def _free() -> Path:
    """A place for the run: "sample", or the first number after it that is free."""
    folder, number = state.runs_folder(), 1
    taken = {job.out.name for job in running.under_way()}
    while True:
        name = NAME if number == 1 else f"{NAME}-{number}"
        if name not in taken and not (folder / name).exists():
            return folder / name
        number += 1

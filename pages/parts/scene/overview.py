"""What was understood of a scene before it is run: place, dates, cloud, worth, doubts, effort."""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from landslide_core.bands import BANDS, PIXEL, RADAR_ROLES
from landslide_core.combinations import COMPLETE, PARTIAL
from landslide_core.errors import LandslideError
from landslide_core.estimate import combination_of_bands, measured, nearest
from landslide_core.manifest import card_of
from landslide_core.readers.given import ROLES, SceneInputs
from landslide_core.readers.recognise import Recognised
from landslide_core.render import Overview
from landslide_core.scene import Scene
from pages.parts import state, theme, wording
from pages.parts.maps import extents
from pages.parts.page_words import in_page_words
from pages.parts.scene import cached_scene


def draw(scene: Scene, inputs: SceneInputs, small: Overview, found: Sequence[Recognised]) -> None:
    """Draw all of it but the effort."""
    with st.container():  # one place, however many there are: what follows stays where it is
        for warning in scene.warnings:
            theme.warning(in_page_words(warning))
    _figures(scene, small)
    covered = extents.extents(scene)
    left, right = st.columns([4, 5], gap="medium")
    with left:
        extents.draw(scene, covered)
    with right:
        days = days_of(inputs, found)
        st.dataframe(role_table(inputs, days, covered), hide_index=True)
        st.caption("  \n".join(gaps(days, inputs.event)))
    worth(scene, inputs)
    _decisions(scene)


def _figures(scene: Scene, small: Overview) -> None:
    grid = scene.grid
    columns = st.columns([3, 2, 3, 2, 2])
    columns[0].metric(f"Size, pixels of {PIXEL:g} m", f"{grid.width:,} × {grid.height:,}")
    area = grid.width * grid.height * PIXEL**2 / 1e6
    columns[1].metric("Area", f"{area:,.0f} km²" if area >= 10 else f"{area:.1f} km²")
    columns[2].metric("Grid", grid.crs)
    columns[3].metric("Bands", f"{len(scene.available)} of {len(BANDS)}")
    share = cloud(small)
    columns[4].metric(
        "Cloud",
        "not known" if share is None else wording.percent(share),
        help="Of the pixels with data, by the scene's own cloud layers. Without such a layer "
        "cloud is flagged tile by tile, where red is bright.",
    )


def cloud(small: Overview) -> float | None:
    """Share of the pixels with optical data that are flagged as cloud; None without a layer."""
    seen = pd.notna(small.pixels[0])
    if small.cloud is None or not seen.any():
        return None
    return float(small.cloud[seen].mean())


Days = Mapping[str, list[date]]


def days_of(inputs: SceneInputs, found: Sequence[Recognised]) -> Days:
    """The days of each role's images, sorted; none where no file says."""
    by_path = {one.path: one for one in found}
    by_name = {one.path.name: one for one in found}  # uploads are linked into other folders
    days: dict[str, list[date]] = {}
    for role in ROLES:
        known = [by_path.get(Path(p)) or by_name.get(Path(p).name) for p in inputs.given(role)]
        days[role] = sorted({one.day for one in known if one and one.day})
    return days


def role_table(
    inputs: SceneInputs, days: Days, covered: Mapping[str, extents.Extent]
) -> pd.DataFrame:
    """A row a role: its images' days, days from the event, share of the grid covered."""
    return pd.DataFrame(
        [
            {
                "Role": theme.role(role),
                "Date (UTC)": ", ".join(map(str, days[role]))
                or ("not known" if inputs.given(role) else "missing"),
                "From event": _from_event(days[role], inputs.event),
                "Covers": f"{100 * covered[role].share:.0f} %" if role in covered else "",
            }
            for role in ROLES
            if role != "dem" or inputs.dem
        ]
    )


def _from_event(days: Sequence[date], event: date | None) -> str:
    if not days or event is None:
        return ""
    nearest = min(((day - event).days for day in days), key=abs)
    return f"{nearest:+d} days".replace("-", "−")


def gaps(days: Days, event: date | None) -> list[str]:
    """The days between before and after of each pass, in words."""
    lines = []
    for orbit_pass, words in wording.PASS_WORDS.items():
        pre, post = days[f"{orbit_pass}_pre"], days[f"{orbit_pass}_post"]
        if pre and post:
            line = f"{words} pass: {(post[0] - pre[-1]).days} days between before and after"
            if event:
                line += f", the later one {(post[0] - event).days} days after the event"
            lines.append(f"{line}.")
    if event is None and any(days.values()):
        lines.append("Without the day of the event nobody can tell whether the dates fit it.")
    return lines


def worth(scene: Scene, inputs: SceneInputs) -> None:
    """What the roles that are there, and those that lack, mean for the verdicts."""
    path = next(iter(state.bundles()), None)
    combination = combination_of_bands(scene.available)
    try:
        card = card_of(path) if path else {}
        doubt = cached_scene.unlike_learnt(inputs, scene, path) if path else None
    except LandslideError as error:
        theme.problem(in_page_words(error))
        return
    missing = [theme.role(role) for role in ("s2", *RADAR_ROLES) if not inputs.given(role)]
    st.markdown(reliability(combination, missing, card))
    if doubt:
        theme.warning(f"{doubt} (From a few tiles; the run looks at all.)")


def reliability(combination: str, missing: Sequence[str], card: Mapping[str, Any]) -> str:
    """How far verdicts of these inputs can be trusted, in one or two sentences."""
    said = f"Missing: {'; '.join(missing)}. " if missing else ""
    best, here = measured(card, COMPLETE), measured(card, combination)
    if combination == PARTIAL:
        return said + (
            "**Some bands of a group are missing.** The filter drops nothing then, and no figure "
            "was measured: expect more tiles to look at."
        )
    if combination == COMPLETE:
        said += "**Everything is there.** "
    if here is None:
        return said + _without_figure(combination, card)
    if combination == COMPLETE or best is None:
        return said + f"On labelled tiles never seen in fitting: {_scores(here)}."
    return said + (
        f"With {wording.combination(combination)} the model reached {_scores(here)} on labelled "
        f"tiles never seen in fitting; with everything {_scores(best)}."
    )


def _without_figure(combination: str, card: Mapping[str, Any]) -> str:
    """What is said of inputs that were not measured: what a part of them reaches."""
    said = "The model card has no figure for this combination of inputs."
    near = nearest(card, combination)
    scores = measured(card, near) if near else None
    if near is None or scores is None:
        return said
    return (
        f"{said} The nearest with one is a part of it, {wording.combination(near)}: "
        f"{_scores(scores)} on labelled tiles never seen in fitting. What the others add is not "
        "known."
    )


def _scores(found: Mapping[str, float]) -> str:
    recall = wording.percent(found["recall"])
    return f"AUC {found['auc']:.3f}, F1 {found['f1']:.2f}, recall {recall}"


def _decisions(scene: Scene) -> None:
    """The table of reading decisions: units, offsets, bands."""
    with st.expander("What was decided on reading", icon=":material/rule:"):
        rows = [(theme.role(d.role), d.subject, d.found, d.decided) for d in scene.decisions]
        table = pd.DataFrame(rows, columns=["Files", "Subject", "Found", "Decided"])
        st.dataframe(table, hide_index=True)

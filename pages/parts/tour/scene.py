"""The tour's first steps: the question, and what a landslide looks like to each sensor."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import streamlit as st

from landslide_core import render
from landslide_core.folder import Run
from landslide_core.grid import Window
from pages.parts import cached, theme
from pages.parts.look import previews
from pages.parts.tour import drawings, walk
from pages.parts.tour.cached_tour import picture
from pages.parts.tour.drawings import HALO, YELLOW, Line
from pages.parts.tour.facts import Scar, Story, cut, slices

Paint = Callable[[render.Floats], render.RGBA]

_PASSES: Final = {
    "desc": "Descending pass (flying south, looking west)",
    "asc": "Ascending pass (flying north, looking east)",
}
_GLOSS: Final = {
    "VH": "**VH** is sent upright and received sideways. Leaves and branches turn a wave so, bare "
    "ground hardly does: where a slope lost its plants, VH sinks.",
    "VV": "**VV** is sent and received upright. It answers to roughness and wetness: fresh rubble "
    "may be brighter or darker than what lay there before.",
}


def question(run: Run, story: Story, score: dict[str, Any]) -> None:
    """Step 1: the scene, and where its slopes failed."""
    left, right = st.columns(2, gap="large")
    with right:
        st.markdown(
            "After an earthquake or a storm, hundreds of slopes may fail in one night, and roads "
            "with them. **Where?** Satellites pass over within days, through cloud as well; "
            "reading their images by hand takes days more."
        )
        st.markdown(
            f"This is one scene, {_extent(run)}. **{score['scars']} landslides** are in it. The "
            "program is not told where they are; the outlines are only used to check it."
        )
        shown = walk.outlined()
        theme.simulated_note()
    with left:
        st.image(
            picture(story, f"scene {shown}", lambda: _scene(run, story.scars if shown else ())),
            width="stretch",
        )
        st.caption("The scene from above in true colours, after the event.")


def optical(run: Run, story: Story) -> None:
    """Step 2: a scar in true and in false colour, and undisturbed ground beside it."""
    st.markdown(
        "A landslide strips a slope of its plants. From above that is a **bare patch, longer than "
        "wide, running downhill**, where there was green. Near infrared, which the eye cannot "
        "see, tells it best: plants shine in it, bare ground does not."
    )
    shown = walk.outlined()
    lines: list[Line] = [(story.clear.shape, HALO, 3)] if shown else []
    places = {
        "Landslide": (story.place, lines),
        "Undisturbed, nearby": (story.quiet, []),
    }
    kinds = {
        "true colours: as the eye sees it": drawings.true_colour,
        "false colours: plants in red": drawings.false_colour,
    }
    columns = iter(st.columns(4, gap="small"))
    for name, (place, drawn) in places.items():
        for words, paint in kinds.items():
            with next(columns):
                draw = partial(_near, run, paint, place, drawn)
                st.image(picture(story, f"{name} {words} {len(drawn)}", draw), width="stretch")
                st.caption(f"**{name}**, {words}")
    st.caption(
        f"Each picture is {10 * story.place.width:,} m wide; the scar covers "
        f"{story.clear.area / 1e4:,.1f} hectares. Fields, quarries and river beds are bare as "
        "well: colour alone is not enough."
    )


def radar(run: Run, story: Story) -> None:
    """Step 3: the same place before, after, and the change, for both passes."""
    left, right = st.columns([4, 3], gap="large")
    with right:
        st.markdown(
            "Radar brings its own light: it sees **by night and through cloud**, when cameras see "
            "nothing. It measures how strong an echo the ground sends back, and the satellite "
            "comes back every few days: so **before** can be held against **after**."
        )
        kind = st.segmented_control(
            "Echo", list(_GLOSS), default="VH", required=True, key="tour echo"
        )
        st.markdown(_GLOSS[kind])
        st.markdown(
            "Two passes look at the slopes **from two sides**: what lies in the shadow of a ridge "
            "for one, the other may see."
        )
        shown = walk.outlined()
        previews.change_legend()
        st.caption("Brighter is a stronger echo. Grain is speckle, radar's own noise.")
    pixels = cut(cached.overview(run.inputs()), story.place)
    with left:
        for orbit_pass, words in _PASSES.items():
            st.markdown(f"**{words}**")
            for column, name in zip(st.columns(3), ("before", "after", "change"), strict=True):
                draw = partial(_echo, pixels, story, orbit_pass, name, kind.lower(), shown)
                column.image(
                    picture(story, f"radar {orbit_pass} {kind} {name} {shown}", draw),
                    width="stretch",
                )
                column.caption(name.capitalize())


def _extent(run: Run) -> str:
    grid = run.grid()
    return f"{grid.width / 100:.0f} by {grid.height / 100:.0f} kilometres"


def _scene(run: Run, scars: tuple[Scar, ...]) -> bytes:
    shown = drawings.true_colour(cached.overview(run.inputs()).pixels)
    return drawings.drawn(shown, [(scar.shape, HALO, 2) for scar in scars])


def _near(run: Run, paint: Paint, place: Window, lines: list[Line]) -> bytes:
    """A place, stretched as the whole scene is, so that places compare."""
    painted = paint(cached.overview(run.inputs()).pixels)
    return drawings.drawn(painted[slices(place)], lines, place, 600)


def _echo(
    pixels: render.Floats, story: Story, orbit_pass: str, name: str, pol: str, shown: bool
) -> bytes:
    if name == "change":
        painted = drawings.echo_change(pixels, orbit_pass, pol)
    else:
        role = f"{orbit_pass}_{'pre' if name == 'before' else 'post'}"
        painted = drawings.echo(pixels, role, pol)
    lines: list[Line] = [(story.clear.shape, HALO if name == "change" else YELLOW, 5)]
    return drawings.drawn(painted, lines if shown else [], story.place, 500)

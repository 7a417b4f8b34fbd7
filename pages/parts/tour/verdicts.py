"""The tour's steps on the two stages: tiles and the filter, then the ensemble."""

from typing import Any, Final

import streamlit as st

from landslide_core.errors import LandslideError
from landslide_core.explanation import TileExplanation
from landslide_core.folder import Run
from landslide_core.grid import Window
from landslide_core.outputs import VERDICT_COLOURS
from pages.parts import cached, theme, wording
from pages.parts.tour import drawings, telling
from pages.parts.tour.cached_tour import picture
from pages.parts.tour.drawings import HALO, Line
from pages.parts.tour.facts import Story, slices, tile_place

_GRID: Final = (120, 132, 142)  # of the lines between tiles


def tiles(run: Run, story: Story, score: dict[str, Any]) -> None:
    """Step 4: how the scene is cut, and what the filter takes out."""
    counts, total = run.meta["counts"], len(run.tiles)
    dropped = score["verdicts"]["filtered_out"]
    left, right = st.columns(2, gap="large")
    with left:
        st.image(picture(story, "dropped", lambda: _dropped(run)), width="stretch")
        st.caption("Dark: dropped by the filter. Bright: passed on to the ensemble.")
    with right:
        st.markdown(
            "The scene is cut into **tiles** of 640 by 640 metres, and each gets one answer. "
            "First a fast **filter** drops what is plainly no landslide, by simple figures such "
            "as how much the radar echo changed."
        )
        one, other = st.columns(2)
        one.metric("Tiles dropped", f"{counts['filtered_out']:,} of {total:,}", border=True)
        other.metric("Share", wording.percent(counts["filtered_out"] / total), border=True)
        if dropped["with_landslide"]:
            st.markdown(
                f"It is not perfect: **{dropped['with_landslide']:,}** of the dropped tiles "
                "hold part of a landslide, and are lost here."
            )
        elif dropped["tiles"]:
            st.markdown("None of the dropped tiles holds a landslide.")
        if story.dropped is None:
            st.info("The filter dropped no tile of this run.")
            return
        st.markdown("**One that was dropped, and the strongest reasons**")
        near, far = st.columns([1, 3], vertical_alignment="center")
        with near:
            tile_picture(run, story, story.dropped)
        if why := explained(run, story.dropped):
            far.markdown(telling.reasons(why, -1))


def ensemble(run: Run, story: Story) -> None:
    """Step 5: one tile that is called, and one that people must look at."""
    members = len(run.meta["thresholds"]["members"])
    st.markdown(
        f"What passed goes to the **ensemble: {members} networks**, trained apart, that look at "
        "the tile and vote. Votes and the filter's score make one **probability**."
    )
    left, right = st.columns(2, gap="large")
    with left:
        _voted(run, story, story.alarm, "No tile reached the ensemble in this run.")
    with right:
        _voted(run, story, story.unsure, "No tile of this run is uncertain.")
    theme.palette_legend("Where in the tile: a landslide is likely", "viridis", ["0", "0.5", "1"])


def explained(run: Run, tile: int) -> TileExplanation | None:
    """Why a tile got its verdict; None, and the reason told, where that cannot be said."""
    try:
        return cached.explanation(run, tile)
    except LandslideError as error:
        theme.problem(error)
        return None


def _voted(run: Run, story: Story, tile: int | None, otherwise: str) -> None:
    """A tile, where in it, what each member said, and the verdict."""
    if tile is None:
        st.info(otherwise)
        return
    row = run.tiles.set_index("tile_id").loc[tile]
    verdict = str(row["verdict"])
    yes = members_for(run, tile)
    said = {
        "landslide": "An alarm is raised.",
        "uncertain": "Too close to call: **people must look.** It goes to the front of the list.",
    }.get(verdict, "No alarm is raised.")
    theme.verdict_line(
        f"{theme.VERDICT_WORDS[verdict]}, probability {wording.number(row['probability'])}",
        VERDICT_COLOURS[verdict],
        f"{sum(yes)} of {len(yes)} members say landslide",
    )
    dots = "".join(_dot(one) for one in yes)
    st.html(f'<div role="img" aria-label="{sum(yes)} of {len(yes)} votes">{dots}</div>')
    near, far = st.columns(2)
    with near:
        tile_picture(run, story, tile)
        st.caption("The tile, with the true outlines")
    with far:
        if why := explained(run, tile):
            drawn = picture(
                story,
                f"hot {tile}",
                lambda: drawings.drawn(drawings.hot(why.pixels, why.heat), (), None, 500),
            )
            st.image(drawn, width="stretch")
            st.caption("Where the networks see it")
    st.markdown(said)


def members_for(run: Run, tile: int) -> list[bool]:
    """Whether each member's mean vote on a tile reaches what it needs."""
    row = run.tiles.set_index("tile_id").loc[tile]
    needed = run.meta["thresholds"]["members"]
    votes = [float(row[f"member_{i:02d}"]) for i in range(len(needed))]
    return [vote >= limit for vote, limit in zip(votes, needed, strict=True)]


def _dot(yes: bool) -> str:
    colour = VERDICT_COLOURS["landslide"]
    fill = colour if yes else "transparent"
    edge = colour if yes else "rgba(128,128,128,.9)"
    return (
        f'<span style="display:inline-block;width:1.5rem;height:1.5rem;border-radius:50%;'
        f'margin-right:.4rem;background:{fill};border:3px solid {edge}"></span>'
    )


def tile_picture(run: Run, story: Story, tile: int) -> None:
    """A tile in true colours with the true outlines in it."""
    place = tile_place(run, tile, cached.overview(run.inputs()))
    st.image(picture(story, f"tile {tile}", lambda: _near(run, story, place)), width="stretch")


def _near(run: Run, story: Story, place: Window) -> bytes:
    """A place, stretched as the whole scene is, so that tiles compare."""
    shown = drawings.true_colour(cached.overview(run.inputs()).pixels)[slices(place)]
    lines: list[Line] = [(scar.shape, HALO, 3) for scar in story.scars]
    return drawings.drawn(shown, lines, place, 500)


def _dropped(run: Run) -> bytes:
    """The scene, dark where every tile was dropped, under a fine grid of tiles."""
    small = cached.overview(run.inputs())
    kept = run.tiles["tile_id"][run.tiles["verdict"] != "filtered_out"]
    bright = [tile_place(run, int(tile), small) for tile in kept]
    shown = drawings.dimmed(drawings.true_colour(small.pixels), bright)
    side = bright[0].height if bright else shown.shape[0]
    shown[::side, :, :3] = shown[:, ::side, :3] = _GRID
    return drawings.drawn(shown)

"""The tour's last steps: alarms against the truth, what was missed and why, what comes next."""

from typing import Any, Final

import shapely
import streamlit as st

from landslide_core.errors import BundleError
from landslide_core.folder import Run
from landslide_core.manifest import card_of
from landslide_core.outputs import VERDICT_COLOURS
from pages.parts import cached, state, theme
from pages.parts.model import phrases
from pages.parts.tour import drawings, telling
from pages.parts.tour.cached_tour import picture
from pages.parts.tour.drawings import CYAN, WHITE, Line
from pages.parts.tour.facts import Story, around, slices, tile_place
from pages.parts.tour.verdicts import explained

_WHERE: Final = {
    "uncertain": "lie mostly in uncertain tiles, where people look",
    "stable": "in tiles called stable",
    "filtered_out": "in tiles that the filter dropped",
    "landslide": "at the edge of an alarm",
}


def result(run: Run, story: Story, score: dict[str, Any]) -> None:
    """Step 6: alarms against the truth, and a scar that was missed."""
    called, unsure = score["verdicts"]["landslide"], score["verdicts"]["uncertain"]
    missed = score["scars"] - score["scars_found"]
    left, right = st.columns(2, gap="large")
    with left:
        st.image(picture(story, "result", lambda: _result(run, story)), width="stretch")
        theme.swatches(
            [
                ("Alarm: tile called landslide", VERDICT_COLOURS["landslide"]),
                ("Landslide found", WHITE),
                ("Landslide missed", CYAN),
            ]
        )
    with right:
        one, two, three = st.columns(3)
        one.metric("Found", f"{score['scars_found']} of {score['scars']}", border=True)
        two.metric("Missed", f"{missed:,}", border=True)
        three.metric("False alarms", f"{called['tiles'] - called['with_landslide']:,}", border=True)
        st.markdown(
            f"Of **{called['tiles']:,} alarms**, {called['with_landslide']:,} hold a landslide. "
            f"{unsure['tiles']:,} more tiles are **uncertain**: {unsure['with_landslide']:,} of "
            "them hold one, so looking through them is worth the time."
        )
        if missed:
            st.markdown(_where_missed(run, story))
        _missed(run, story)


def next_steps(run: Run, score: dict[str, Any]) -> None:
    """Step 7: the limits, and where to go from here."""
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown(
            "**What it is not**\n"
            "- **No proof.** An alarm says “look here first”; it is no survey, and no tile "
            "without one is safe.\n"
            f"- **No promise.** {score['scars_found']} of {score['scars']} is what this simulated "
            "scene gave. Real ones will differ.\n"
            "- **No outline.** The answer is for 640 metres of ground; the heat map is a hint.\n"
            "- **No cause, no date.** Anything that stripped a slope between the images may "
            "raise an alarm: a clearing, a quarry, a flood."
        )
        st.caption(_card_limits(run))
    with right:
        st.markdown(
            "**What to do next**\n"
            "1. **Look at the map**: alarms first, then what is uncertain.\n"
            "2. **Review**: say of each tile what it is; the machine's word is not the last.\n"
            "3. **Report**: a short one for who decides, and files for who maps."
        )
        with st.container(horizontal=True):
            _door("Detection map", "detect.py", ":material/map:", run, "primary")
            _door("Review", "review.py", ":material/rate_review:", run)
            _door("Export and report", "export.py", ":material/ios_share:", run)
            _door("Model card", "model_card.py", ":material/fact_check:", None)
        st.markdown("Then with your own images: bring in the files, and the rest is the same.")
        _door("Bring in a scene", "scene.py", ":material/satellite_alt:", None)


def _door(words: str, page: str, icon: str, run: Run | None, kind: Any = "secondary") -> None:
    """A button to another page, which then shows the tour's run."""
    if st.button(words, key=f"tour to {page}", icon=icon, type=kind):
        if run is not None:
            state.choose_run(run.folder.name)
        st.switch_page(page)


def _where_missed(run: Run, story: Story) -> str:
    """In what tiles the missed scars lie."""
    verdicts = run.tiles.set_index("tile_id")["verdict"]
    tiles = [scar.tile for scar in story.scars if not scar.found and scar.tile is not None]
    counts = verdicts.loc[tiles].value_counts()
    parts = [f"{counts[name]:,} {words}" for name, words in _WHERE.items() if name in counts]
    return f"Of those missed, {_listed(parts)}." if parts else ""


def _listed(parts: list[str]) -> str:
    """One, two and three."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _missed(run: Run, story: Story) -> None:
    """The largest scar that was missed, and the reason."""
    if story.missed is None or story.missed.tile is None:
        st.markdown("No landslide of this scene was missed.")
        return
    near, far = st.columns([2, 3], vertical_alignment="center")
    near.image(picture(story, "missed", lambda: _near_missed(run, story)), width="stretch")
    row = run.tiles.set_index("tile_id").loc[story.missed.tile]
    if why := explained(run, story.missed.tile):
        far.markdown(
            "**The largest one missed.** "
            + telling.missed(why, story.missed.area, float(row["cloud_fraction"]))
        )


def _near_missed(run: Run, story: Story) -> bytes:
    small = cached.overview(run.inputs())
    assert story.missed is not None  # else nothing is drawn
    place = around(story.missed.shape.centroid, small.pixels.shape[1:])
    shown = drawings.true_colour(small.pixels)[slices(place)]
    return drawings.drawn(shown, [(story.missed.shape, CYAN, 5)], place, 500)


def _result(run: Run, story: Story) -> bytes:
    """The scene with alarms in their colour, and outlines by whether they were found."""
    small = cached.overview(run.inputs())
    lines: list[Line] = []
    for tile in run.tiles["tile_id"][run.tiles["verdict"] == "landslide"]:
        place = tile_place(run, int(tile), small)
        left, top = place.col + 1, place.row + 1
        square = shapely.box(left, top, left + place.width - 2, top + place.height - 2)
        lines.append((square, VERDICT_COLOURS["landslide"], 5))
    lines += [(scar.shape, WHITE if scar.found else CYAN, 3) for scar in story.scars]
    ground = drawings.greyed(drawings.true_colour(small.pixels), 0.8)
    return drawings.drawn(ground, lines)


def _card_limits(run: Run) -> str:
    """What the bundle's own card says of its limits."""
    try:
        return phrases.limits(card_of(run.bundle_path))
    except BundleError:
        return "The model's card is not there any more."

"""A run's figures: counts, the selected tile, the table, downloads and provenance."""

import json
from pathlib import Path
from typing import Final

import pandas as pd
import streamlit as st
from shapely.geometry.base import BaseGeometry

from landslide_core.errors import RunDamaged
from landslide_core.folder import Run, check_inputs
from landslide_core.places import without_query
from landslide_core.plan import cloud_from_of
from landslide_core.report.ground import ground_shares
from landslide_core.tiles import CLOUD_NOTES
from pages.parts import cached, state, theme, wording
from pages.parts.maps import features
from pages.parts.page_words import in_page_words
from pages.parts.why import drift

COLUMNS: Final = {
    "tile_id": st.column_config.NumberColumn("Tile", format="%d"),
    "says": st.column_config.TextColumn("Verdict"),
    "review": st.column_config.TextColumn("Review", help="What reviewers say; empty: not yet."),
    "alarm": st.column_config.CheckboxColumn("Alarm"),
    "probability": st.column_config.ProgressColumn(
        "Probability", format="%.3f", min_value=0.0, max_value=1.0
    ),
    "says_landslide": st.column_config.CheckboxColumn(
        "Plain yes", help="The probability reaches the threshold of the best F1."
    ),
    "spread": st.column_config.NumberColumn("Spread", format="%.3f"),
    "filter_score": st.column_config.NumberColumn("Filter score", format="%.4f"),
    "cloud": None,  # by what the run's flags rest on
    "valid": st.column_config.NumberColumn("Valid", format="%.0f %%"),
    "slope": st.column_config.NumberColumn("Slope", format="%.1f°"),
    "row": st.column_config.NumberColumn("Row", format="%d"),
    "col": st.column_config.NumberColumn("Column", format="%d"),
    "lat": st.column_config.NumberColumn("Latitude", format="%.5f", help="Of the tile's middle."),
    "lon": st.column_config.NumberColumn("Longitude", format="%.5f", help="Of the tile's middle."),
}


def choose(names: list[str], current: str | None) -> None:
    """The list of runs, where there is more than one to choose from."""
    if not names or names == [current]:
        return
    index = names.index(current) if current in names else None
    picked = st.selectbox("Run", names, index=index, placeholder="Choose a run", width=420)
    if picked and picked != current:
        state.choose_run(picked)
        st.rerun()


def summary(run: Run) -> None:
    """Count of tiles per verdict, and their share of the scene's ground."""
    counts, shares = run.meta["counts"], ground_shares(run)
    with st.container(horizontal=True, gap="small", key="summary"):  # on a phone two in a row
        for verdict, words in theme.VERDICT_WORDS.items():
            st.metric(
                words,
                f"{counts.get(verdict, 0):,}",
                help=theme.VERDICT_HELP[verdict],
                delta=f"{100 * shares[verdict]:.1f} % of the ground",
                delta_color="off",
                delta_arrow="off",
                width=160,
            )
    if is_masked(run):
        st.caption(mask_sentence(run))
    for warning in run.meta["warnings"]:
        theme.warning(in_page_words(warning))
    try:
        check_inputs(run)
    except RunDamaged as error:
        theme.warning(
            f"{in_page_words(error)} Until then there is no background, and no tile can be "
            "explained."
        )


def is_masked(run: Run) -> bool:
    """Whether flat ground raises no alarm in a run."""
    return bool(run.meta.get("slope_mask", {}).get("least_slope"))


def mask_sentence(run: Run) -> str:
    """What the slope mask did."""
    mask, landslides = run.meta["slope_mask"], run.meta["counts"]["landslide"]
    said = (
        f"Slope mask: {mask['alarms']:,} of {landslides:,} landslide tiles raise an alarm; in the "
        f"others 99 % of the ground is less steep than {mask['least_slope']:g}°. It masks "
        f"{mask['masked_tiles']:,} tiles in all; verdicts stay as they are."
    )
    if unknown := mask["unknown_tiles"]:
        said += f" Tiles of which the DEM tells too little, {unknown:,}, are not masked."
    return said


def tile_card(run: Run, tile: int | None) -> None:
    """The selected tile in short, and the way to its decision."""
    found = run.tiles[run.tiles["tile_id"] == tile] if tile is not None else run.tiles[:0]
    with st.container(border=True):
        if found.empty:
            st.markdown("**No tile selected**")
            st.caption("Click a tile on the map, or a row of the table.")
            return
        row = found.iloc[0]
        st.markdown(f"**Tile {tile}**")
        st.metric("Verdict", theme.VERDICT_WORDS[row["verdict"]])
        if label := cached.review_labels(run).get(int(row["tile_id"])):
            st.markdown(f":material/person: Reviewed: **{theme.LABEL_WORDS[label]}**")
        if is_masked(run) and row["slope"] < run.meta["slope_mask"]["least_slope"]:
            st.caption(f"Flat ground ({row['slope']:.1f}°): no alarm.")
        st.metric("Probability", wording.number(row["probability"]))
        st.metric("Spread", wording.number(row["spread"]))
        st.metric("Filter score", wording.number(row["filter_score"]))
        if st.button(
            "Open decision", type="primary", icon=":material/troubleshoot:", width="stretch"
        ):
            st.switch_page("decisions.py")
        if st.button("Review tile", icon=":material/rate_review:", width="stretch"):
            st.switch_page("review.py")
        st.caption("A double click on the map, or Enter, opens it too.")


def area_card(run: Run, area: BaseGeometry) -> None:
    """What lies in the area drawn on the map, and its tiles to take away."""
    found = features.placed(run)
    rows = features.inside(found, area)
    inside = run.tiles.iloc[rows]
    with st.container(border=True):
        size = features.square_kilometres(area)
        st.markdown(
            f"**Area of interest**, {size:,.2f} km²: {len(rows):,} tiles have their middle in it"
        )
        counts = inside["verdict"].value_counts()
        known = inside["probability"].dropna()
        mean = wording.number(known.mean()) if len(known) else "–"
        figures = {
            **{words: f"{counts.get(name, 0):,}" for name, words in theme.VERDICT_WORDS.items()},
            "Mean probability": mean,
        }
        for column, (label, figure) in zip(st.columns(len(figures)), figures.items(), strict=True):
            column.metric(label, figure)
        st.download_button(
            "Tiles inside, GeoJSON",
            lambda: inside.to_json(drop_id=True),
            file_name=f"{Path(run.folder).name}-area.geojson",
            mime="application/geo+json",
            on_click="ignore",
            icon=":material/download:",
            disabled=not len(rows),
        )


def table(run: Run) -> bool:
    """Tiles by falling probability; returns whether a row was just picked."""
    frame = ranked(run)
    labels, found = cached.review_labels(run), features.placed(run)
    middles = pd.DataFrame(found.centres, index=found.ids, columns=["lon", "lat"])
    listed = (
        pd.DataFrame(frame.drop(columns="geometry"))
        .join(middles, on="tile_id")
        .assign(
            says=frame["verdict"].map(theme.VERDICT_WORDS),
            review=frame["tile_id"].map(labels).map(theme.LABEL_WORDS).fillna(""),
            cloud=frame["cloud_fraction"] * 100,
            valid=frame["valid_fraction"] * 100,
        )
    )
    source = cloud_from_of(run.meta)
    cloud = st.column_config.NumberColumn(
        "Cloud" if source == "layer" else "Bright as cloud",
        format="%.0f %%",
        help=CLOUD_NOTES[source] or "Of the pixels that the optical sensor saw.",
    )
    hidden = {"review": not labels, "alarm": not is_masked(run), "slope": not has_slope(run)}
    chosen = st.dataframe(
        listed,
        hide_index=True,
        column_order=[name for name in COLUMNS if not hidden.get(name)],
        column_config={**COLUMNS, "cloud": cloud},
        height=330,
        on_select="rerun",
        selection_mode="single-row",
        key=f"table-{Path(run.folder).name}",
    )
    rows = chosen["selection"]["rows"]
    if not state.is_new(f"row-{Path(run.folder).name}", list(rows)) or not rows:
        return False
    state.choose_tile(int(listed.iloc[rows[0]]["tile_id"]))
    return True


def has_slope(run: Run) -> bool:
    """Whether a DEM told how steep any tile is."""
    return "slope" in run.tiles and bool(run.tiles["slope"].notna().any())


def ranked(run: Run) -> pd.DataFrame:
    """The run's tiles by falling probability; tiles without one last."""
    return run.tiles.sort_values("probability", ascending=False, na_position="last", kind="stable")


def provenance(run: Run) -> None:
    """What went in, how usual it is, and the run's record, for whoever must vouch for it."""
    drift.scene(run)
    opened = st.expander(
        "Where this run came from",
        icon=":material/history:",
        key=f"provenance-{run.folder}",
        on_change="rerun",
    )
    if not opened.open:  # what colours the record's text is larger than the map's scripts
        return
    with opened:
        meta = run.meta
        bundle = wording.escaped(meta["bundle"]["name"])
        st.markdown(
            f"Made {meta['created']} with bundle **{bundle}** at stride {meta['stride']} "
            f"in {sum(meta['seconds'].values()):,.0f} s."
        )
        files = pd.DataFrame(meta["inputs"])
        if not files.empty:
            files["role"] = files["role"].map(theme.role)
            files["path"] = files["path"].map(lambda path: Path(without_query(path)).name)
            st.dataframe(
                files,
                hide_index=True,
                column_config={
                    "role": "Role",
                    "path": "File",
                    "bytes": "Bytes",
                    "sha256": "SHA-256",
                },
            )
        if is_masked(run):
            names = ", ".join(
                wording.escaped(Path(path).name) for path in meta["slope_mask"]["dem"]
            )
            st.markdown(
                f"{mask_sentence(run)} Slopes come from {names} by Horn's method on the 10 m grid; "
                "a tile counts as steep as its steepest hundredth, so that a hillside beside a "
                "plain is kept."
            )
        st.code(json.dumps(meta["thresholds"] | meta["versions"], indent=1), language="json")

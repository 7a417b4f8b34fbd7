"""How a scene, or a tile of it, compares with the pixels the model learnt from."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from numpy.typing import NDArray

from landslide_core.bands import INDEX, OPTICAL
from landslide_core.drift import OUTSIDE, outside
from landslide_core.folder import Run
from pages.parts import theme, wording
from pages.parts.why import charts

# Told apart by shape as well as by colour.
MARKS: Final = {
    "usual": (theme.BLUE_BAR, "circle"),
    "unusual": ("#e69f00", "diamond"),
    "unlike": ("#d55e00", "x"),
}
_EXPECTED: Final = ((5, 95, 0.10), (25, 75, 0.14))  # % of the training's pixels, opacity
PLAIN: Final = {"displayModeBar": False}


def scene(run: Run) -> None:
    """Each band against the training; open where one is unlike it."""
    drift = run.meta.get("drift")  # runs of earlier versions have none
    if not drift:
        return
    found = [band["likeness"] for band in drift.values()]
    counts = [f"{found.count(name)} {name}" for name in MARKS if name in found]
    title = f"Compared with what the model learnt: {', '.join(counts)} of {len(found)} bands"
    opened = st.expander(
        title,
        icon=":material/balance:",
        expanded="unlike" in found,
        key=f"drift-{run.folder}",
        on_change="rerun",
    )
    if not opened.open:  # Plotly is megabytes of script: the map comes first
        return
    with opened:
        st.markdown(
            "Where the scene's pixels lie among those of the training tiles. A scene like them "
            "has its thick bar in the darker middle and its median near 50 %."
        )
        st.plotly_chart(positions(drift), config=PLAIN)
        st.dataframe(table(drift), hide_index=True)
        st.caption(
            "Outside: share of the scene's pixels beyond the range that holds 98 % of the "
            "training's pixels; 2 % is expected. Reflectance × 10⁴ and dB. A band is unlike where "
            f"{OUTSIDE[1]:.0%} are outside, where nearly all of it lies at one end, or where its "
            "relation to another band is not one that the ground has."
        )


def positions(drift: Mapping[str, Any]) -> go.Figure:
    """A row a band: the scene's 5 to 95 %, 25 to 75 % and median, in % of the training's pixels."""
    figure = go.Figure()
    for low, high, opacity in _EXPECTED:
        figure.add_vrect(
            low, high, fillcolor=theme.GREY_BAR, opacity=opacity, line_width=0, layer="below"
        )
    for likeness, (colour, symbol) in MARKS.items():
        names = [name for name, band in drift.items() if band["likeness"] == likeness]
        if not names:
            continue
        rows = [wording.band(name) for name in names]
        for ends, width in ((("p5", "p95"), 3), (("p25", "p75"), 10)):
            x = [at for n in names for at in (*_places(drift[n], ends), None)]
            y = [row for row in rows for _ in range(3)]
            line = {"color": colour, "width": width}
            figure.add_scatter(
                x=x, y=y, mode="lines", line=line, hoverinfo="skip", showlegend=False
            )
        figure.add_scatter(
            name=likeness.capitalize(),
            x=[100 * drift[name]["median_at"] for name in names],
            y=rows,
            mode="markers",
            marker={
                "symbol": symbol,
                "size": 12,
                "color": colour,
                "line": {"width": 1.5, "color": theme.ink()},
            },
            hovertemplate="%{y}<br>median above %{x:.0f} % of the training's pixels<extra></extra>",
        )
    figure.update_layout(
        height=110 + 28 * len(drift),
        margin=charts.MARGIN,
        xaxis={"title": "% of the training's pixels that are lower", "range": [-2, 102]},
        yaxis={
            "categoryorder": "array",
            "categoryarray": [wording.band(name) for name in reversed(list(drift))],
            "automargin": True,
        },
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
    )
    return figure


def _places(band: Mapping[str, Any], names: tuple[str, ...]) -> list[float]:
    """Where values of the scene lie among the training's, in %."""
    shares = [float(name[1:]) for name in band["learnt"]]
    return [
        float(np.interp(band["found"][name], list(band["learnt"].values()), shares))
        for name in names
    ]


def table(drift: Mapping[str, Any]) -> pd.DataFrame:
    """Each band's median and range in both, as text."""
    return pd.DataFrame(
        [
            {
                "Band": wording.band(name),
                "Verdict": band["likeness"],
                "Outside": f"{100 * band['outside']:.1f} %",
                **{
                    f"{words}, {what}": text
                    for words, values in (("Scene", band["found"]), ("Training", band["learnt"]))
                    for what, text in (
                        ("median", _value(name, values["p50"])),
                        (
                            "5 to 95 %",
                            f"{_value(name, values['p5'])} to {_value(name, values['p95'])}",
                        ),
                    )
                },
            }
            for name, band in drift.items()
        ]
    )


def _value(name: str, value: float) -> str:
    text = f"{value:,.0f}" if name in OPTICAL else f"{value:.1f}"
    return text.replace("-", "−")


def tile(run: Run, pixels: NDArray[np.float32]) -> None:
    """A line where much of a tile (12, 64, 64) is beyond what the model learnt from."""
    shares = {
        name: outside(pixels[INDEX[name]], band["learnt"])
        for name, band in run.meta.get("drift", {}).items()
    }
    beyond = [name for name, share in shares.items() if share >= OUTSIDE[1]]
    if beyond:
        said = "; ".join(f"{wording.band(n)} {100 * shares[n]:.0f} %" for n in beyond)
        theme.warning(
            "Much of this tile lies outside the range of 98 % of the training's pixels, where 2 % "
            f"is expected: {said}. Treat its verdict with care."
        )

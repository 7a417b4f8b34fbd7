"""Plotly figures of the ensemble: its votes and their grounds, what inputs did to them."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import plotly.graph_objects as go

from landslide_core.calibration import log_odds
from landslide_core.explanation import Share, TileExplanation
from landslide_core.judgement import ORDER
from landslide_core.render import PALETTES
from pages.parts import theme

_PARTS: Final = (("Statistics", "#56b4e9", ""), ("Picture", "#cc79a7", "/"))
MARGIN: Final = {"l": 8, "r": 8, "t": 8, "b": 8}


def votes(why: TileExplanation) -> go.Figure:
    """Members × views as a heat map 0..1, each row labelled with its member's threshold."""
    members = [
        f"Member {i + 1} · needs {limit:.2f}" for i, limit in enumerate(why.member_thresholds)
    ]
    needed = np.asarray(why.member_thresholds)[:, None]
    over = why.votes >= needed
    asked = ORDER[: why.votes_cast // len(members)]
    views = [
        view if i in asked or not asked else f"<i>{view}</i>" for i, view in enumerate(why.views)
    ]
    palette = PALETTES["viridis"]
    figure = go.Figure(
        go.Heatmap(
            z=why.votes,
            x=views,
            y=members,
            zmin=0,
            zmax=1,
            colorscale=[[i / (len(palette) - 1), colour] for i, colour in enumerate(palette)],
            colorbar={"title": "Vote", "thickness": 12, "outlinewidth": 0},
            xgap=2,
            ygap=2,
            customdata=[
                [
                    f"{abs(vote - limit):.2f} {'over' if vote >= limit else 'under'} what it needs"
                    + ("" if view in asked or not asked else "; not asked by the run")
                    for view, vote in enumerate(row)
                ]
                for row, (limit,) in zip(why.votes, needed, strict=True)
            ],
            hovertemplate="%{y}<br>view %{x}<br>vote %{z:.3f}, %{customdata}<extra></extra>",
        )
    )
    for (row, column), vote in np.ndenumerate(why.votes):
        figure.add_annotation(
            x=views[column],
            y=members[row],
            text=f"{'● ' if over[row, column] else ''}{vote:.2f}",
            showarrow=False,
            font={"size": 12, "color": "#10202c" if vote > 0.5 else "#ffffff"},
        )
    figure.update_layout(
        height=90 + 34 * max(len(members), 4),
        margin=MARGIN,
        xaxis={"title": "View of the tile", "showgrid": False},
        yaxis={"autorange": "reversed", "automargin": True, "showgrid": False},
    )
    return figure


def grounds(why: TileExplanation) -> go.Figure:
    """Log-odds of each member by the tile's statistics and by its picture, and their sum."""
    members = [f"Member {i + 1}" for i in range(len(why.member_thresholds))]
    picture = why.picture.mean(axis=1)
    figure = go.Figure(
        [
            go.Bar(
                name=name,
                x=values,
                y=members,
                orientation="h",
                marker={
                    "color": colour,
                    "pattern": {"shape": pattern, "fillmode": "overlay", "fgcolor": "#17242e"},
                },
                hovertemplate="%{y}<br>" + name.lower() + " %{x:+.2f} log-odds<extra></extra>",
            )
            for (name, colour, pattern), values in zip(
                _PARTS, (why.statistics, picture), strict=True
            )
        ]
    )
    needed = log_odds(np.asarray(why.member_thresholds))
    for name, values, symbol in (
        ("Sum", why.statistics + picture, "diamond"),
        ("Needed", needed, "line-ns-open"),
    ):
        figure.add_scatter(
            name=name,
            x=values,
            y=members,
            mode="markers",
            marker={"symbol": symbol, "size": 13, "color": theme.ink(), "line": {"width": 2}},
            hovertemplate="%{y}<br>" + name.lower() + " %{x:+.2f} log-odds<extra></extra>",
        )
    figure.update_layout(
        barmode="relative",
        height=130 + 30 * max(len(members), 4),
        margin=MARGIN,
        xaxis={"title": "Log-odds", "zeroline": True},
        yaxis={"autorange": "reversed", "automargin": True},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
    )
    return figure


def shares(parts: Mapping[str, Share], least: float, legend: bool = True) -> go.Figure:
    """Log-odds that go with each input, by statistics and picture; the axis holds ±`least`."""
    rows = list(parts)
    values = [[p.statistics for p in parts.values()], [p.picture for p in parts.values()]]
    figure = go.Figure(
        [
            go.Bar(
                name=name,
                x=x,
                y=rows,
                orientation="h",
                marker={
                    "color": colour,
                    "pattern": {"shape": pattern, "fillmode": "overlay", "fgcolor": "#17242e"},
                },
                hovertemplate="%{y}<br>" + name.lower() + " %{x:+.2f} log-odds<extra></extra>",
            )
            for (name, colour, pattern), x in zip(_PARTS, values, strict=True)
        ]
    )
    figure.add_scatter(
        name="Sum",
        x=[part.total for part in parts.values()],
        y=rows,
        mode="markers",
        marker={"symbol": "diamond", "size": 11, "color": theme.ink()},
        hovertemplate="%{y}<br>sum %{x:+.2f} log-odds<extra></extra>",
    )
    reach = 1.1 * max(least, *(abs(part.total) for part in parts.values()), 0.1)
    figure.update_layout(
        barmode="relative",
        height=120 + 30 * max(len(rows), 3),
        margin=MARGIN,
        showlegend=legend,
        xaxis={"title": "Log-odds that go with it", "range": [-reach, reach], "zeroline": True},
        yaxis={"autorange": "reversed", "automargin": True},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
    )
    return figure

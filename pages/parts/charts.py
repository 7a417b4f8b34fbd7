"""Plotly figures: the filter's contributions, the ensemble's votes and their grounds."""

from typing import Final

import numpy as np
import plotly.graph_objects as go

from landslide_core.calibration import log_odds
from landslide_core.explain import TileExplanation
from landslide_core.render import PALETTES
from pages.parts import theme, wording

SHOWN: Final = 10  # contributions
MARGIN: Final = {"l": 8, "r": 8, "t": 8, "b": 8}


def contributions(why: TileExplanation) -> go.Figure:
    """Log-odds each feature adds to the filter's score: orange towards landslide, blue away."""
    top = why.contributions[:SHOWN]
    rest = sum(weight for _, _, weight in why.contributions[SHOWN:])
    labels = [wording.feature(name) for name, _, _ in top]
    texts = [wording.feature_value(name, value) for name, value, _ in top]
    weights = [weight for _, _, weight in top]
    labels.append(f"All other {max(len(why.contributions) - SHOWN, 0)} features")
    texts.append("")
    weights.append(rest)
    figure = go.Figure(
        go.Bar(
            x=weights,
            y=labels,
            orientation="h",
            marker_color=[theme.ORANGE_BAR if w > 0 else theme.BLUE_BAR for w in weights],
            customdata=texts,
            text=texts,
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}<br>value %{customdata}<br>adds %{x:+.2f} log-odds<extra></extra>",
        )
    )
    reach = 1.25 * max((abs(w) for w in weights), default=1.0) or 1.0
    figure.update_layout(
        height=430,
        margin=MARGIN,
        xaxis={
            "title": "Log-odds added",
            "range": [-reach, reach],
            "zeroline": True,
        },
        yaxis={"autorange": "reversed", "automargin": True},
        showlegend=False,
    )
    return figure


def votes(why: TileExplanation) -> go.Figure:
    """Members × views as a heat map 0..1, each row labelled with its member's threshold."""
    members = [
        f"Member {i + 1} · needs {limit:.2f}" for i, limit in enumerate(why.member_thresholds)
    ]
    over = why.votes >= np.asarray(why.member_thresholds)[:, None]
    palette = PALETTES["viridis"]
    figure = go.Figure(
        go.Heatmap(
            z=why.votes,
            x=list(why.views),
            y=members,
            zmin=0,
            zmax=1,
            colorscale=[[i / (len(palette) - 1), colour] for i, colour in enumerate(palette)],
            colorbar={"title": "Vote", "thickness": 12, "outlinewidth": 0},
            xgap=2,
            ygap=2,
            hovertemplate="%{y}<br>view %{x}<br>vote %{z:.3f}<extra></extra>",
        )
    )
    for (row, column), vote in np.ndenumerate(why.votes):
        figure.add_annotation(
            x=why.views[column],
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
            for name, values, colour, pattern in (
                ("Statistics", why.statistics, "#56b4e9", ""),
                ("Picture", picture, "#cc79a7", "/"),
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

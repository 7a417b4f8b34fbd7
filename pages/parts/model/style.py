"""What the model page's figures share: colours, margins, legend, axes."""

from collections.abc import Mapping
from typing import Any, Final

from pages.parts import theme

Card = Mapping[str, Any]

PLAIN: Final = {"displayModeBar": False}
ORANGE: Final = "#e69f00"
MARGIN: Final = {"l": 8, "r": 12, "t": 40, "b": 8}
LEGEND: Final = {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0}
PERCENT: Final = {"tickformat": ".0%", "automargin": True}


def main() -> str:
    """The colour of what a figure is about, strong on either ground."""
    return "#56b4e9" if theme.is_dark() else "#0072b2"

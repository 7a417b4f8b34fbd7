"""How the app is served: whether its routes are there, and under which path."""

from typing import Final

from streamlit import config

_MOUNTED: Final[list[str]] = []  # the base path, once app.py has asked for the routes


def mounted(base: str) -> None:
    """Note that the routes are there, under a base path such as "/slides"."""
    _MOUNTED[:] = [base]


def are_routes_there() -> bool:
    """Whether this server has the routes: a page run alone or by a test has not."""
    return bool(_MOUNTED) and not config.get_option("global.appTest")  # as tests patch it


def base_path() -> str:
    """What `server.baseUrlPath` puts before every address: "" or "/slides"."""
    return _MOUNTED[0] if _MOUNTED else ""

"""Routes beside the Streamlit script, on the same port: pictures, scripts, tiles, uploads."""

from starlette.routing import BaseRoute

from pages.parts import tiles


def routes(base: str = "") -> list[BaseRoute]:
    """All routes, under `server.baseUrlPath`."""
    base = f"/{base.strip('/')}" if base.strip("/") else ""
    return [*tiles.routes(base)]

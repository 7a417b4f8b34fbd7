"""Routes beside the Streamlit script, on the same port: pictures, scripts, tiles, uploads."""

from starlette.routing import BaseRoute

from pages.parts import scripts, serving
from pages.parts.maps import features, tiles
from pages.parts.run import handover
from pages.parts.upload import receiving


def routes(base: str = "") -> list[BaseRoute]:
    """All routes, under `server.baseUrlPath`."""
    base = f"/{base.strip('/')}" if base.strip("/") else ""
    serving.mounted(base)
    parts = (receiving, scripts, tiles, features, handover)
    return [route for part in parts for route in part.routes(base)]

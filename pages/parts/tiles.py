"""Routes beside the Streamlit script: vendored Leaflet and the map's picture overlays."""

from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from landslide_core.errors import LandslideError
from pages.parts import cached

VENDOR: Final = Path(__file__).parent.parent / "vendor"
LEAFLET: Final = VENDOR / "leaflet-1.9.4"
DRAW: Final = VENDOR / "leaflet-draw-1.0.4"
# The map lives in a frame at component/streamlit_folium.st_folium/index.html: two steps up is
# the app's root, whatever server.baseUrlPath or a proxy has put before it.
ROOT: Final = "../.."


def routes(base: str = "") -> list[BaseRoute]:
    """The routes, under a base path such as "/slides"."""
    return [
        Mount(f"{base}/leaflet", StaticFiles(directory=LEAFLET)),
        Mount(f"{base}/leaflet-draw", StaticFiles(directory=DRAW)),
        Route(f"{base}/overlay/{{run}}/{{layer}}.webp", _overlay),
    ]


def leaflet_url(name: str) -> str:
    """Address of a Leaflet file, as seen from the map's frame."""
    return f"{ROOT}/leaflet/{name}"


def draw_url(name: str) -> str:
    """Address of a file of Leaflet's drawing tools, as seen from the map's frame."""
    return f"{ROOT}/leaflet-draw/{name}"


def overlay_url(run: Path, layer: str) -> str:
    """Address of a run's overlay picture, as seen from the map's frame."""
    return f"{ROOT}/overlay/{run.name}/{layer}.webp?v={cached.run_stamp(run)}"


def _overlay(request: Request) -> Response:
    """The picture, for runs that the runs folder lists and layers that exist; else 404."""
    try:
        picture = cached.overlay(request.path_params["run"], request.path_params["layer"])
    except (KeyError, LandslideError) as error:
        return Response(str(error), status_code=404)
    return Response(
        picture, media_type="image/webp", headers={"Cache-Control": "private, max-age=3600"}
    )

"""Scripts and styles for maps in frames, each kind as one file, as a frame fetches in turn; and for
components of the page itself.
"""

from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from pages.parts import serving

VENDOR: Final = Path(__file__).parent.parent / "vendor"
LEAFLET: Final = VENDOR / "leaflet-1.9.4"
DRAW: Final = VENDOR / "leaflet-draw-1.0.4"
BROWSER: Final = Path(__file__).parent.parent / "browser"  # our own
COUNTRIES: Final = VENDOR / "natural-earth-4.1.0" / "countries-50m.json"
# The map lives in a frame at component/streamlit_folium.st_folium/index.html: two steps up is
# the app's root, whatever server.baseUrlPath or a proxy has put before it.
ROOT: Final = "../.."
BESIDE: Final = "."  # from the app's root, as LOADING takes addresses
LOADING: Final = ("app_root.js", "loading.js")
_KINDS: Final = {".js": "text/javascript", ".css": "text/css"}
_KEEP: Final = {"Cache-Control": "public, max-age=86400"}  # the address changes with the files
# One request for all of a map's scripts: streamlit-folium awaits each before it asks for the next.
BUNDLES: Final[dict[str, tuple[Path, ...]]] = {
    "leaflet": (
        LEAFLET / "leaflet.js",
        *(BROWSER / f"{name}.js" for name in ("map-manners", "outline-shapes", "outlines")),
    ),
    "draw": (DRAW / "leaflet.draw.js",),
    "map": (
        *(LEAFLET / "leaflet.js", DRAW / "leaflet.draw.js"),
        *(BROWSER / f"map{part}.js" for part in ("-manners", "-look", "-panel", "-tiles", "")),
    ),
}


def routes(base: str = "") -> list[BaseRoute]:
    """Vendored and own files, and the bundles, under a base path such as "/slides"."""
    return [
        Mount(f"{base}/leaflet", StaticFiles(directory=LEAFLET)),
        Mount(f"{base}/leaflet-draw", StaticFiles(directory=DRAW)),
        Mount(f"{base}/browser", StaticFiles(directory=BROWSER)),
        Route(f"{base}/scripts/{{name}}.js", _send),
        Route(f"{base}/outlines/{COUNTRIES.name}", _send_countries),
    ]


def bundle(name: str) -> str:
    """Where a frame finds a bundle; the scripts themselves where the app has no routes."""
    if serving.are_routes_there():
        return f"{ROOT}/scripts/{name}.js?v={_stamp(BUNDLES[name])}"
    return f"data:text/javascript;base64,{b64encode(_joined(name)).decode()}"


def countries() -> str | None:
    """Where a frame finds the outlines of countries; None where the app has no routes."""
    if serving.are_routes_there():
        return f"{ROOT}/outlines/{COUNTRIES.name}?v={_stamp([COUNTRIES])}"
    return None


def module(*names: str) -> str:
    """Our own scripts as one module, for a component of the page.

    Streamlit calls a component's function whenever what it is told changes, also while an earlier
    call is on its way, and has what such a call returned clean up after a later one has drawn. So
    a script cleans up only what has left the page.
    """
    return "\n".join((BROWSER / name).read_text() for name in names)


def found_at(path: Path, root: str = ROOT) -> str:
    """Where a frame finds a file of ours; a script of the page itself finds it BESIDE the app.

    The file itself where the app has no routes.
    """
    if serving.are_routes_there():
        folder = {LEAFLET: "leaflet", DRAW: "leaflet-draw", BROWSER: "browser"}[path.parent]
        return f"{root}/{folder}/{path.name}?v={_stamp([path])}"
    return f"data:{_KINDS[path.suffix]};base64,{b64encode(path.read_bytes()).decode()}"


def _stamp(paths: Sequence[Path]) -> str:
    """Changes when one of the files does."""
    return f"{max(path.stat().st_mtime_ns for path in paths):x}"


def _joined(name: str) -> bytes:
    # A line break and a semicolon: whatever one file ends with, the next begins anew.
    return b"\n;\n".join(path.read_bytes() for path in BUNDLES[name])


def _send(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in BUNDLES:
        return Response("There is no such script; reload the page.", 404, media_type="text/plain")
    return Response(_joined(name), media_type="text/javascript", headers=_KEEP)


def _send_countries(request: Request) -> Response:
    return FileResponse(COUNTRIES, media_type="application/json", headers=_KEEP)

"""Routes beside the Streamlit script: vendored Leaflet, the map's tiles and overlays."""

from collections.abc import Callable
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from landslide_core.errors import LandslideError
from landslide_core.folder import check_inputs, open_run
from landslide_core.layers import LAYERS, Layer
from landslide_core.looks import look_key
from pages.parts import cached, scripts, state
from pages.parts.maps import looks, painting

DEEPEST: Final = 22  # zoom
_KEEP: Final = {"Cache-Control": "private, max-age=86400"}
_FORGET: Final = {"Cache-Control": "no-store"}  # what is not there yet may be soon
_PLACE: Final = "{z}/{x}/{y}"

Find = Callable[[str, Layer], Path]


def routes(base: str = "") -> list[BaseRoute]:
    """The routes, under a base path such as "/slides"."""
    return [
        Route(f"{base}/overlay/{{run}}/{{layer}}.webp", _overlay),
        *(
            Route(f"{base}/{kind}/{{name}}/{{layer}}/{_PLACE}{sharp}.webp", partial(_tile, *how))
            for kind, find in (("tiles", of_run), ("look", of_look))
            for sharp, how in (("@2x", (find, 2)), ("", (find, 1)))
        ),
    ]


def overlay_url(run: Path, layer: str) -> str:
    """Address of a run's overlay picture, as seen from the map's frame."""
    return f"{scripts.ROOT}/overlay/{quote(run.name)}/{layer}.webp?v={cached.run_stamp(run)}"


def tile_url(run: Path, layer: str) -> str:
    """Address of a run's tiles for Leaflet, `{z}/{x}/{y}{r}` open, as seen from the map's frame."""
    at = "{z}/{x}/{y}{r}.webp"
    return f"{scripts.ROOT}/tiles/{quote(run.name)}/{layer}/{at}?v={cached.run_stamp(run)}"


def look_url(key: str, layer: str) -> str:
    """Address of a look's tiles for Leaflet, as seen from the map's frame."""
    return f"{scripts.ROOT}/look/{key}/{layer}/{{z}}/{{x}}/{{y}}{{r}}.webp"


def of_run(name: str, layer: Layer) -> Path:
    """The raster of a finished run's layer. Raises KeyError, LandslideError."""
    folder = {path.name: path for path in state.runs()}[name]
    if layer.kind == "result":
        return _there(folder / f"{layer.name}.tif", layer)
    run = open_run(folder)
    check_inputs(run)
    return of_look(look_key(run.inputs()), layer)


def of_look(key: str, layer: Layer) -> Path:
    """The raster of a look's layer. Raises KeyError."""
    if layer.kind == "result" or (path := looks.path_of(key)) is None:
        raise KeyError(layer.name)
    return path


def _there(path: Path, layer: Layer) -> Path:
    if not path.is_file():
        raise KeyError(layer.name)
    return path


def _tile(find: Find, density: int, request: Request) -> Response:
    """A tile, for runs of the list, looks that are there and layers of the table; else 404."""
    asked = request.path_params
    z, x, y = (_whole(asked[name]) for name in "zxy")
    fits = 0 <= z <= DEEPEST and min(x, y) >= 0 and max(x, y) < 2**z
    if asked["layer"] not in LAYERS or not fits:
        return _refused(404, "There is no such layer or tile; open the map again.")
    layer = LAYERS[asked["layer"]]
    try:
        stretch = [_number(request.query_params.get(end)) for end in ("low", "high")]
        path = find(asked["name"], layer)
        picture = painting.tile(path, layer, (z, x, y), 256 * density, (stretch[0], stretch[1]))
    except ValueError:
        return _refused(400, "low and high are to be numbers, low under high; correct them.")
    except KeyError:
        return _refused(404, "There is no such picture, or it isn't made yet; open the map again.")
    except LandslideError as error:
        return _refused(404, " ".join(str(error).split()))
    return Response(picture, media_type="image/webp", headers=_KEEP)


def _refused(status: int, line: str) -> Response:
    return Response(line, status, headers=_FORGET, media_type="text/plain")


def _whole(text: str) -> int:
    """A whole number of the address, or -1: no tile has more than seven digits."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 8 else -1


def _number(text: str | None) -> float | None:
    """A finite number of the address. Raises ValueError."""
    if text is None:
        return None
    if not isfinite(number := float(text)):
        raise ValueError(text)
    return number


def _overlay(request: Request) -> Response:
    """The picture, for runs that the runs folder lists and layers that exist; else 404."""
    try:
        picture = cached.overlay(request.path_params["run"], request.path_params["layer"])
    except KeyError:
        return _refused(404, "There is no such picture; open the map again.")
    except LandslideError as error:
        return _refused(404, " ".join(str(error).split()))
    return Response(
        picture, media_type="image/webp", headers={"Cache-Control": "private, max-age=3600"}
    )

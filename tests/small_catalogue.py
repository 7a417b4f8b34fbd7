"""A catalogue on loopback with a few Sentinel images of 4×4 km, for tests of the Find page."""

from collections import namedtuple
from contextlib import contextmanager

import numpy as np
import shapely
from stac_server import Files, item, outline_in_degrees, ramp, running, stac_api, write_band

ORIGIN = (600_000, 5_600_000)  # upper left corner in UTM zone 32
SIDE = 400  # pixels
BANDS = ("B02", "B03", "B04", "B08")
EVENT = "2024-04-03"
WHOLE = (ORIGIN[0], ORIGIN[1] - 10 * SIDE, ORIGIN[0] + 10 * SIDE, ORIGIN[1])
EASTERN = (ORIGIN[0] + 1500, *WHOLE[1:])
# 2×2 km in the middle
CORNERS = ",".join(
    f"{x:.6f}" for x in outline_in_degrees((601_000, 5_597_000, 603_000, 5_599_000)).bounds
)

Small = namedtuple("Small", "files api")


@contextmanager
def small_catalogue(folder):
    """Two optical images, three descending radar images and two ascending ones."""
    pixels = ramp((SIDE, SIDE), ORIGIN)
    for i, band in enumerate(BANDS):
        write_band(folder / f"{band}.tif", pixels + np.uint16(i), ORIGIN)
    write_band(folder / "SCL.tif", np.full((SIDE // 2,) * 2, 4, "u1"), ORIGIN, pixel=20.0)
    for key, level in (("vv", 0.05), ("vh", 0.01)):
        power = (level * (1 + pixels / 7000)).astype(np.float32)
        for name in ("desc-pre", "desc-post", "desc-later", "asc-pre", "asc-post"):
            write_band(folder / f"{name}-{key}.tif", power, ORIGIN, nodata=-32768)
    with running(Files(folder)) as files:
        at = files.address
        items = [
            _optical(at, "clear", "04-10", 3.0),
            _optical(at, "hazy", "04-05", 30.0),
            _radar(at, "desc-pre", "03-28", "descending", 168, WHOLE),
            _radar(at, "desc-post", "04-09", "descending", 168, WHOLE),
            _radar(at, "desc-later", "04-21", "descending", 168, WHOLE),
            _radar(at, "asc-pre", "03-20", "ascending", 15, WHOLE),
            _radar(at, "asc-post", "04-13", "ascending", 15, EASTERN),
        ]
        with stac_api(items, folder) as api:
            yield Small(files, api)


def _optical(at, name, day, cloud):
    assets = {band: (f"{at}/{band}.tif", {}) for band in (*BANDS, "SCL")}
    said = {"eo:cloud_cover": cloud, "proj:epsg": 32632, "platform": "sentinel-2a"}
    said["s2:processing_baseline"] = "05.10"
    return item(name, "sentinel-2-l2a", f"2024-{day}T10:20:31Z", _outline(WHOLE), assets, **said)


def _radar(at, name, day, state, orbit, bounds):
    assets = {key: (f"{at}/{name}-{key}.tif", {}) for key in ("vv", "vh")}
    said = {"sat:orbit_state": state, "sat:relative_orbit": orbit, "platform": "sentinel-1a"}
    when = f"2024-{day}T05:40:00Z"
    return item(name, "sentinel-1-rtc", when, _outline(bounds), assets, **said)


def _outline(bounds):
    return shapely.set_precision(outline_in_degrees(bounds), 1e-6)

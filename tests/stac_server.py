"""Servers on loopback: a STAC API over items made here, and their COGs with range requests."""

import contextlib
import json
import re
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import rasterio
import requests
import shapely
from affine import Affine
from pyproj import Transformer
from rio_cogeo.cogeo import cog_translate
from rio_cogeo.profiles import cog_profiles

RUSTAC = Path(sys.executable).with_name("rustac")


class Files(ThreadingHTTPServer):
    """Hands out a folder's files in the ranges asked for, and counts what it sent."""

    daemon_threads = True
    request_queue_size = 128  # GDAL opens many connections at once

    def __init__(self, folder, signature=None):
        super().__init__(("127.0.0.1", 0), _FileHandler)
        self.folder, self.signature = folder, signature
        self.sent = {}  # bytes by file
        self.broken = set()  # files answered with 500

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_port}"


class _FileHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body go out at once

    def setup(self):
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        super().setup()

    def handle(self):
        with contextlib.suppress(ConnectionError):
            super().handle()

    def do_HEAD(self):
        self._answer(body=False)

    def do_GET(self):
        self._answer(body=True)

    def _answer(self, body):
        asked = urlsplit(self.path)
        path = self.server.folder / asked.path.lstrip("/")
        signed = parse_qs(asked.query).get("sig", [None])[0] == self.server.signature
        if path.name in self.server.broken or not signed or not path.is_file():
            return self._empty(
                500 if path.name in self.server.broken else 403 if not signed else 404
            )
        content = path.read_bytes()
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        first, last = (int(found[1]), int(found[2] or len(content) - 1)) if found else (0, None)
        part = content[first:] if last is None else content[first : last + 1]
        if found and not part:
            return self._empty(416)
        self.send_response(206 if found else 200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(part)))
        if found:
            end = first + len(part) - 1
            self.send_header("Content-Range", f"bytes {first}-{end}/{len(content)}")
        self.end_headers()
        if not body:
            return None
        # A client that only wants to know the length reads the head and hangs up: what it never
        # took isn't counted, give or take what lies in the sockets' buffers.
        for start in range(0, len(part), 65536):
            try:
                self.wfile.write(part[start : start + 65536])
            except OSError:
                self.close_connection = True
                break
            sent = self.server.sent.get(path.name, 0)
            self.server.sent[path.name] = sent + len(part[start : start + 65536])
        return None

    def _empty(self, status):
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *said):
        pass


@contextmanager
def running(server):
    """A server that answers while the block runs."""
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def stac_api(items, folder):
    """A `rustac serve` over items; gives its address."""
    listed = folder / "items.json"
    listed.write_text(json.dumps({"type": "FeatureCollection", "features": items}))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [RUSTAC, "serve", listed, "--addr", address, "--create-collections"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(f"http://{address}", process)
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(address, process):
    until = time.monotonic() + 10
    while True:
        try:
            return requests.get(address, timeout=1)
        except requests.ConnectionError:
            assert process.poll() is None, "rustac serve ended"
            assert time.monotonic() < until, "rustac serve does not answer"
            time.sleep(0.02)


@contextmanager
def canned_api(answer):
    """An API that answers every request with `answer(path, address) -> (status, type, bytes)`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            length = int(self.headers.get("Content-Length") or 0)
            self.rfile.read(length)
            status, kind, body = answer(self.path, f"http://127.0.0.1:{server.server_port}")
            self.send_response(status)
            self.send_header("Content-Type", kind)
            if status in (301, 302):
                self.send_header("Location", body.decode())
            self.end_headers()
            with contextlib.suppress(ConnectionError):  # who has enough hangs up
                self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *said):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    with running(server):
        yield f"http://127.0.0.1:{server.server_port}"


def landing_page(address):
    """The least that a STAC API says of itself."""
    return {
        "type": "Catalog",
        "stac_version": "1.0.0",
        "id": "canned",
        "description": "Made for a test",
        "conformsTo": [
            "https://api.stacspec.org/v1.0.0/core",
            "https://api.stacspec.org/v1.0.0/item-search",
        ],
        "links": [
            {"rel": "self", "href": address},
            {"rel": "root", "href": address},
            {
                "rel": "search",
                "href": f"{address}/search",
                "method": "POST",
                "type": "application/geo+json",
            },
        ],
    }


def write_band(path, pixels, origin, crs="EPSG:32632", pixel=10.0, nodata=None):
    """A COG of one band with blocks of 128 pixels, its upper left corner at an origin in metres."""
    plain = path.with_suffix(".plain.tif")
    height, width = pixels.shape
    transform = Affine(pixel, 0, origin[0], 0, -pixel, origin[1])
    with rasterio.open(
        plain, "w", driver="GTiff", height=height, width=width, count=1, dtype=pixels.dtype,
        crs=crs, transform=transform, nodata=nodata,
    ) as file:  # fmt: skip
        file.write(pixels, 1)
    profile = {**cog_profiles.get("raw"), "blockxsize": 128, "blockysize": 128}
    cog_translate(plain, path, profile, in_memory=False, quiet=True, overview_level=2)
    plain.unlink()
    return path


def item(name, collection, when, outline, assets, **properties):
    """A STAC item; `outline` is a shapely geometry in EPSG:4326."""
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": [],
        "id": name,
        "collection": collection,
        "geometry": shapely.geometry.mapping(outline),
        "bbox": list(outline.bounds),
        "properties": {"datetime": when, **properties},
        "links": [],
        "assets": {
            key: {
                "href": href,
                "type": "image/tiff; application=geotiff",
                "roles": ["data"],
                **more,
            }
            for key, (href, more) in assets.items()
        },
    }


def outline_in_degrees(bounds, crs="EPSG:32632"):
    """The outline of (left, bottom, right, top) in metres, in EPSG:4326."""
    move = Transformer.from_crs(crs, "EPSG:4326", always_xy=True).transform
    box = shapely.segmentize(shapely.box(*bounds), 5000)
    return shapely.transform(box, move, interleaved=False)


def ramp(shape, origin, pixel=10.0):
    """Whole numbers that tell where in 100 km a pixel lies: 3 × column + 7 × row, from 2,000."""
    rows, cols = np.mgrid[: shape[0], : shape[1]]
    column = cols + round(origin[0] / pixel)
    row = rows - round(origin[1] / pixel)
    return (2000 + (3 * column + 7 * row) % 5000).astype(np.uint16)

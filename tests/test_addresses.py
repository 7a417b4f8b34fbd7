"""Addresses: which are asked, what is said of those that aren't, and how redirects are followed."""

import re
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote, unquote

import numpy as np
import pytest
import rasterio
from affine import Affine

from landslide_core.errors import UnreadableRaster
from landslide_core.opening import GDAL_REMOTE
from landslide_core.places import Place
from landslide_core.readers import addresses
from landslide_core.readers.addresses import (
    check_address,
    is_public,
    length,
    private_allowed,
)

SIGNED = "?sv=2024&sig=SECRET%2Fkey&X-Amz-Signature=SECRET"


class Handler(BaseHTTPRequestHandler):
    """Files by range; other paths misbehave in the way that their name says."""

    def do_GET(self):
        self.server.asked.append((self.path, self.headers.get("Range")))
        path = self.path.partition("?")[0]
        if path.startswith("/to/"):
            self.answer(302, {"Location": self.path.removeprefix("/to")})
        elif path.startswith("/away/"):
            self.answer(302, {"Location": unquote(self.path.removeprefix("/away/"))})
        elif path.startswith("/loop"):
            self.answer(307, {"Location": f"/loop{len(self.server.asked)}"})
        elif path.startswith("/status/"):
            self.answer(int(path.rpartition("/")[2]))
        elif path == "/endless":
            self.wfile.write(b"HTTP/1.1 302 Found\r\nLocation: /x.tif\r\n\r\n")
            self.server.sent = 0
            while self.server.sent < 2**27:
                self.server.sent += self.wfile.write(bytes(2**16))
        elif path == "/hang":
            self.server.release.wait(20)
        elif path == "/drip":
            self.wfile.write(b"HTTP/1.1 206 Partial Content\r\n")
            while not self.server.release.wait(0.1):
                self.wfile.write(b"X-A: b\r\n")
        elif path == "/whole":
            self.answer(200, body=self.server.raster)
        elif path == "/nowhere":
            self.answer(302)
        else:
            self.ranged()

    def ranged(self):
        body, asked = self.server.raster, self.headers.get("Range")
        if not asked:
            self.answer(200, body=body)
            return
        first, _, last = asked.removeprefix("bytes=").partition("-")
        part = body[int(first) : int(last) + 1]
        end = int(first) + len(part) - 1
        self.answer(206, {"Content-Range": f"bytes {first}-{end}/{len(body)}"}, part)

    def answer(self, status, headers=(), body=b""):
        self.send_response(status)
        for key, value in dict(headers).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A server on loopback that holds one GeoTIFF; `asked` are the requests that it got."""
    monkeypatch.setenv("NO_PROXY", "*")
    path = tmp_path / "x.tif"
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=300,
        height=200,
        count=1,
        dtype="uint16",
        crs="EPSG:32645",
        transform=Affine(10, 0, 5e5, 0, -10, 3e6),
    ) as file:
        file.write(np.arange(60_000, dtype=np.uint16).reshape(1, 200, 300))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.raster, server.asked, server.release = path.read_bytes(), [], threading.Event()
    server.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.release.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def named(monkeypatch, server):
    """Names that stand for numbers: public ones by what is said, all reached on loopback."""
    real = socket.getaddrinfo
    numbers = {
        "public.test": ["93.184.216.34"],
        "private.test": ["10.1.2.3"],
        "half.test": ["93.184.216.34", "2606:2800::1", "127.0.0.1"],
        "metadata.test": ["169.254.169.254"],
    }

    def resolve(host, port, *rest, **more):
        if host not in numbers:
            return real(host, port, *rest, **more)
        if rest:  # the request itself, made by urllib3
            return real("127.0.0.1", port, *rest, **more)
        return [(2, 1, 6, "", (number, port)) for number in numbers[host]]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return f":{server.server_port}"


def refused(address, private=False):
    with pytest.raises(UnreadableRaster) as caught:
        check_address(address, private)
    line = str(caught.value)
    assert "SECRET" not in line
    assert line.isprintable()
    assert line.endswith(".")
    return line


# ---- what is refused before anything is asked


@pytest.mark.parametrize(
    ("address", "line"),
    [
        ("file:///etc/passwd", "has the scheme file; http, https or s3 is needed"),
        ("ftp://example.com/x.tif", "has the scheme ftp"),
        ("gs://bucket/x.tif", "has the scheme gs"),
        ("zip+https://example.com/x.zip!y.tif", "has the scheme zip+https"),
        ("/vsicurl/http://example.com/x.tif", "is no address"),
        ("/vsis3/bucket/x.tif", "is no address"),
        ("x.tif", "is no address"),
        ("http:/example.com/x.tif", "is no address"),
        ("http://user:SECRET@example.com/x.tif", "has a user or a password"),
        ("https://user@example.com/x.tif", "has a user or a password"),
        ("http://a.com\r\nHost: b/x.tif", "has spaces or other signs"),
        ("http://a.com/x y.tif", "has spaces"),
        ("http://a.com\\@127.0.0.1/x.tif", "has spaces or other signs"),
        ("http://１２７.0.0.1/x.tif", "has spaces or other signs"),
        ("http:///x.tif", "has no plain host"),
        ("http://%31%32%37.0.0.1/x.tif", "has no plain host"),
        ("http://[::1/x.tif", "has no plain host"),
        ("http://a.com:99999/x.tif", "has no plain host"),
        ("http://a.com:80:80/x.tif", "has no plain host"),
        ("s3://Bucket_/x.tif", "names no bucket and key"),
        ("s3://bucket", "names no bucket and key"),
        ("s3://169.254.169.254/x.tif", "names no bucket and key"),
        ("s3://a@b/x.tif", "names no bucket and key"),
    ],
)
def test_spellings_that_are_refused(address, line):
    assert line in refused(address, private=True)


def test_s3_is_taken_by_its_bucket_alone():
    assert check_address("s3://sentinel-cogs/a/B04.tif") == "s3://sentinel-cogs/a/B04.tif"


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "localhost", "0"),
        *("10.0.0.1", "192.168.1.1", "172.16.0.1", "100.100.100.200", "169.254.169.254"),
        *("224.0.0.1", "240.0.0.1", "255.255.255.255", "168.63.129.16", "192.0.0.192"),
        *("[::1]", "[::]", "[fe80::1]", "[fd00:ec2::254]", "[ff02::1]"),
        *("[::ffff:127.0.0.1]", "[::ffff:a9fe:a9fe]", "[::7f00:1]"),
        *("[2002:7f00:1::]", "[64:ff9b::7f00:1]"),
    ],
)
def test_private_numbers_in_every_spelling(host, server):
    line = refused(f"http://{host}:{server.server_port}/x.tif?sig=SECRET")
    assert "leads into this machine or its network" in line
    assert "LANDSLIDE_PRIVATE_ADDRESSES=1" in line
    assert server.asked == []


def test_public_numbers():
    assert all(map(is_public, ("93.184.216.34", "8.8.8.8", "2606:2800:220:1::1")))


@pytest.mark.parametrize("name", ["private.test", "metadata.test", "half.test"])
def test_a_name_is_held_against_all_numbers_it_stands_for(named, server, name):
    assert "leads into this machine" in refused(f"http://{name}{named}/x.tif")
    assert server.asked == []


def test_a_name_that_does_not_resolve(monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    line = refused(f"https://nowhere.invalid/x.tif{SIGNED}")
    assert line.startswith("https://nowhere.invalid/x.tif has a host that doesn't resolve")


def test_a_name_server_that_hangs(monkeypatch):
    waiting = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: waiting.wait(20))
    monkeypatch.setattr(addresses, "PATIENCE", 0.3)
    started = time.perf_counter()
    assert "doesn't answer within" in refused("http://slow.test/x.tif")
    assert time.perf_counter() - started < 2
    waiting.set()


def test_only_the_operator_allows_private_addresses(monkeypatch):
    monkeypatch.delenv("LANDSLIDE_PRIVATE_ADDRESSES", raising=False)
    assert not private_allowed()
    for value, allowed in (("1", True), ("0", False), ("", False)):
        monkeypatch.setenv("LANDSLIDE_PRIVATE_ADDRESSES", value)
        assert private_allowed() == allowed


# ---- what servers answer


def test_an_address_that_reads_in_parts_is_asked_for_one_byte(server):
    address = f"{server.url}/x.tif{SIGNED}"
    assert check_address(address, private=True) == address
    assert server.asked == [(f"/x.tif{SIGNED}", "bytes=0-0")]
    assert length(address) == len(server.raster)


@pytest.mark.parametrize("steps", [1, 5])
def test_redirects_are_followed_to_their_end(server, steps):
    address = f"{server.url}{'/to' * steps}/x.tif{SIGNED}"
    assert check_address(address, private=True) == f"{server.url}/x.tif{SIGNED}"
    assert len(server.asked) == steps + 1


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("/whole", "can't be read in parts; .* Download the file"),
        ("/status/401", "answers 401; .* Sign it"),
        ("/status/403", "answers 403; .* Signatures run out: sign it anew"),
        ("/status/404", "answers 404; .* letter by letter"),
        ("/status/500", "answers 500; .* Try again later"),
        ("/loop", "more than 5 redirects"),
        ("/nowhere", "more than 5 redirects"),
        ("/away/file:%2f%2f%2fetc%2fpasswd", "has the scheme file"),
        ("/away/s3:%2f%2fbucket%2fkey", "is where a web address leads"),
        ("/away/http:%2f%2fuser:SECRET@a.com%2fx", "has a user or a password"),
        ("/away/http:%2f%2f%5b::1%2fx", "leads to what is no address"),
    ],
)
def test_answers_that_are_refused(server, path, line):
    said = refused(f"{server.url}{path}{SIGNED}", private=True)
    assert re.search(line, said), said
    assert len(server.asked) <= 6


@pytest.mark.parametrize("target", ["10.1.2.3", "metadata.test", "[::1]", "half.test"])
def test_a_public_address_may_not_lead_to_a_private_one(named, server, target):
    address = f"http://public.test{named}/x.tif{SIGNED}"
    assert check_address(address) == address
    server.asked.clear()
    away = quote(f"http://{target}{named}/x.tif", safe="")
    line = refused(f"http://public.test{named}/away/{away}{SIGNED}")
    assert line.startswith(f"http://{target}{named}/x.tif leads into this machine")
    assert len(server.asked) == 1


@pytest.mark.parametrize("path", ["/hang", "/drip"])
def test_a_server_that_hangs(monkeypatch, server, path):
    monkeypatch.setattr(addresses, "PATIENCE", 0.9)
    started = time.perf_counter()
    assert "doesn't answer" in refused(f"{server.url}{path}{SIGNED}", private=True)
    assert time.perf_counter() - started < 3


def test_what_comes_with_a_redirect_is_not_read(server):
    assert check_address(f"{server.url}/endless", private=True) == f"{server.url}/x.tif"
    assert server.sent < 2**25


def test_nobody_listens(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    line = refused(f"http://127.0.0.1:{port}/x.tif{SIGNED}", private=True)
    assert "can't be read (ConnectionError)" in line


# ---- how GDAL asks


def test_gdal_reads_a_checked_address_in_parts_and_nothing_beside_it(server):
    address = check_address(f"{server.url}/to/x.tif{SIGNED}", private=True)
    server.asked.clear()
    with rasterio.Env(**GDAL_REMOTE), rasterio.open(Place(address).opened) as file:
        assert file.read(1)[199, 299] == 59_999
    assert {path for path, _ in server.asked} == {f"/x.tif{SIGNED}"}
    assert len(server.asked) <= 3
    assert [asked for _, asked in server.asked][1:] == ["bytes=0-32767", "bytes=32768-120455"]


def test_gdal_gives_up_on_a_server_that_hangs(server):
    shorter = {"GDAL_HTTP_LOW_SPEED_TIME": "1", "GDAL_HTTP_CONNECTTIMEOUT": "1"}
    assert shorter.keys() <= GDAL_REMOTE.keys()
    server.asked.clear()
    started = time.perf_counter()
    with (
        rasterio.Env(**{**GDAL_REMOTE, **shorter}),
        pytest.raises(rasterio.errors.RasterioIOError),
    ):
        rasterio.open(Place(f"{server.url}/hang").opened)
    tries = 1 + int(GDAL_REMOTE["GDAL_HTTP_MAX_RETRY"])
    assert time.perf_counter() - started < 2 * tries + 3
    assert 1 <= len(server.asked) <= 2 * tries

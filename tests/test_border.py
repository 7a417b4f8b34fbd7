"""What the readers never let GDAL follow, whichever way a user or an archive leads to it."""

import threading
import zipfile
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest
from conftest import ORIGIN, UTM, write_raster

from landslide_core.errors import UnreadableRaster
from landslide_core.grid import Window
from landslide_core.readers.given import SceneInputs
from landslide_core.readers.inputs import open_scene

NAMES = ("B02", "B03", "B04", "B08")


@pytest.fixture
def asked():
    """A server's address, and what it was asked for."""
    found = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            found.append(self.path)
            self.send_error(404)

        do_HEAD = do_GET

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", found
    server.shutdown()


def stack(path):
    pixels = np.random.default_rng(2).integers(300, 3000, (4, 80, 80)).astype(np.uint16)
    write_raster(path, pixels, NAMES, ORIGIN, UTM)
    return path


def virtual(source):
    """A virtual raster of one source."""
    a = ORIGIN
    return (
        f'<VRTDataset rasterXSize="80" rasterYSize="80"><SRS>{UTM}</SRS>'
        f"<GeoTransform>{a.c},{a.a},{a.b},{a.f},{a.d},{a.e}</GeoTransform>"
        + "".join(
            f'<VRTRasterBand dataType="UInt16" band="{i}"><Description>{name}</Description>'
            f'<SimpleSource><SourceFilename relativeToVRT="0">{source}</SourceFilename>'
            f"<SourceBand>{i}</SourceBand></SimpleSource></VRTRasterBand>"
            for i, name in enumerate(NAMES, 1)
        )
        + "</VRTDataset>"
    )


def test_a_virtual_raster_is_read_by_its_name_alone(tmp_path):
    text = virtual(stack(tmp_path / "real.tif"))
    (tmp_path / "s2.vrt").write_text(text)
    (tmp_path / "hidden.tif").write_text(text)
    scene = open_scene(SceneInputs(s2=(tmp_path / "s2.vrt",)))
    real = open_scene(SceneInputs(s2=(tmp_path / "real.tif",)))
    spot = Window(3, 4, 9, 9)
    np.testing.assert_array_equal(scene.read(spot), real.read(spot))
    with pytest.raises(UnreadableRaster, match="cannot be read"):
        open_scene(SceneInputs(s2=(tmp_path / "hidden.tif",)))


@pytest.mark.parametrize("how", ["itself", "folder", "hidden", "zip"])
def test_a_virtual_raster_never_leads_to_an_address(tmp_path, asked, how):
    address, found = asked
    folder = tmp_path / "in"
    folder.mkdir()
    path = folder / ("s2.tif" if how == "hidden" else "s2.vrt")
    path.write_text(virtual(f"/vsicurl/{address}/x.tif"))
    given = folder if how == "folder" else path
    if how == "zip":
        given = tmp_path / "x.zip"
        with zipfile.ZipFile(given, "w") as archive:
            archive.write(path, "s2.vrt")
    with pytest.raises(UnreadableRaster):
        open_scene(SceneInputs(s2=(given,)))
    assert not found


@pytest.mark.parametrize("prefix", ["/vsicurl/", "/vsicurl_streaming/", "/VSICURL/"])
@pytest.mark.parametrize("kind", [str, Path])
def test_names_of_gdal_are_no_names_of_users(asked, prefix, kind):
    address, found = asked
    with pytest.raises(UnreadableRaster):
        open_scene(SceneInputs(s2=(kind(f"{prefix}{address}/x.tif"),)))
    assert not found


def test_a_file_beside_a_member_leads_nowhere(tmp_path, asked):
    address, found = asked
    path = stack(tmp_path / "s2.tif")
    beside = f'<PAMDataset><Metadata domain="OVERVIEWS"><MDI key="OVERVIEW_FILE">/vsicurl/{address}'
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.write(path, "s2.tif")
        archive.writestr("s2.tif.aux.xml", f"{beside}/x.ovr</MDI></Metadata></PAMDataset>")
    scene = open_scene(SceneInputs(s2=(tmp_path / "x.zip",)))
    assert np.isfinite(scene.read(Window(0, 0, 64, 64))[:4]).all()
    assert not found


def test_private_addresses_are_refused_unless_the_operator_allows_them(monkeypatch, asked):
    address, found = asked
    monkeypatch.delenv("LANDSLIDE_PRIVATE_ADDRESSES", raising=False)
    with pytest.raises(UnreadableRaster, match="LANDSLIDE_PRIVATE_ADDRESSES=1"):
        open_scene(SceneInputs(s2=(f"{address}/x.tif?sig=SECRET",)))
    assert not found
    monkeypatch.setenv("LANDSLIDE_PRIVATE_ADDRESSES", "1")
    with pytest.raises(UnreadableRaster, match="answers 404") as refused:
        open_scene(SceneInputs(s2=(f"{address}/x.tif?sig=SECRET",)))
    assert found
    assert "SECRET" not in str(refused.value)

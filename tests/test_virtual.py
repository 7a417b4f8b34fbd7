"""Virtual rasters: which are followed, and what in them is refused."""

import time
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from landslide_core.errors import UnreadableRaster
from landslide_core.readers.virtual import check_virtual, is_virtual

BAND = '<VRTRasterBand dataType="UInt16" band="1"{kind}>{inside}</VRTRasterBand>'
SOURCE = (
    '<SimpleSource><SourceFilename relativeToVRT="{relative}">{name}</SourceFilename>'
    "<SourceBand>1</SourceBand></SimpleSource>"
)


def dataset(inside, kind=""):
    return f'<VRTDataset rasterXSize="8" rasterYSize="8"{kind}>{inside}</VRTDataset>'


def of(name, relative=1, kind="", more=""):
    """The XML of a virtual raster with one band of one source."""
    inside = SOURCE.format(relative=relative, name=name) + more
    return dataset(BAND.format(kind=kind, inside=inside))


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "x.tif"
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=8,
        height=8,
        count=1,
        dtype="uint16",
        crs="EPSG:32645",
        transform=Affine(10, 0, 5e5, 0, -10, 3e6),
    ) as file:
        file.write(np.full((1, 8, 8), 7, np.uint16))
    return path


@pytest.fixture
def virtual(tmp_path, source):
    def write(text, name="v.vrt"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def refused(path):
    with pytest.raises(UnreadableRaster) as caught:
        check_virtual(path)
    assert str(caught.value).isprintable()
    return str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        of("x.tif"),
        "<?xml version='1.0'?><!-- by hand -->" + of("x.tif"),
        of("x.tif").replace("SourceFilename", "sourcefilename"),
        of("x.tif", kind=' subClass="VRTSourcedRasterBand"'),
        of("x.tif").replace("SimpleSource", "ComplexSource"),
        of("x.tif", kind=' subClass="VRTDerivedRasterBand"', more="<PixelFunctionType>dB"
           "</PixelFunctionType>"),
        of("x.tif", more="<Overview><SourceFilename relativeToVRT='1'>x.tif</SourceFilename>"
           "</Overview>"),
    ],
)  # fmt: skip
def test_a_virtual_raster_of_files_is_read(virtual, text):
    path = virtual(text)
    assert is_virtual(path) == ("by hand" not in text)
    check_virtual(path)
    with rasterio.open(path, driver="VRT") as file:
        assert file.count == 1


def test_what_gdal_writes_itself_passes(virtual, source, tmp_path):
    from rasterio.shutil import copy
    from rasterio.vrt import WarpedVRT

    copy(source, tmp_path / "plain.vrt", driver="VRT")
    with rasterio.open(source) as file, WarpedVRT(file, crs="EPSG:4326") as warped:
        copy(warped, tmp_path / "warped.vrt", driver="VRT")
    for name in ("plain.vrt", "warped.vrt"):
        check_virtual(tmp_path / name)
        with rasterio.open(tmp_path / name) as file:
            assert (file.read(1) == 7).any()


def test_sources_are_looked_for_from_where_the_virtual_raster_lies(virtual, source, tmp_path):
    folder = tmp_path / "linked"
    folder.mkdir()
    (folder / "link.vrt").symlink_to(virtual(of("x.tif")))
    check_virtual(folder / "link.vrt")
    check_virtual(virtual(of(source, relative=0)))
    check_virtual(virtual(of("../" + tmp_path.name + "/x.tif")))
    assert "is no file here" in refused(virtual(of("x.tif", relative=0)))
    check_virtual(tmp_path / "absent.vrt")  # opening it says that it isn't there


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (of("absent.tif"), "names 'absent.tif', which is no file here"),
        (of("/vsicurl/http://a.com/x.tif"), "an address or part of an archive"),
        (of("  /VSIcurl/http://a.com/x.tif"), "an address or part of an archive"),
        (of("/vsizip/a.zip/x.tif"), "an address or part of an archive"),
        (of("/vsis3/bucket/x.tif?sig=SECRET"), "an address or part of an archive"),
        (of("https://a.com/x.tif?sig=SECRET"), "an address or part of an archive"),
        (of("&#47;vsi&#x63;url/http://a.com/x.tif"), "an address or part of an archive"),
        (of("<!-- -->/vsicurl/http://a.com/x.tif"), "in a way of its own"),
        (of("x<!-- -->.tif"), "in a way of its own"),
        (of("<b>x.tif</b>"), "in a way of its own"),
        (of("x.tif", relative="yes"), "in a way of its own"),
        (of("<![CDATA[x.tif]]>"), "is no plain file"),
        (of("."), "is no file here"),
        (of("a" * 5000), "is no file here"),
        (of("HDF5:x.tif"), "is no file here"),
        (of("x.tif", kind=' subClass="VRTRawRasterBand"'), "has a 'vrtrawrasterband'"),
        (of("x.tif", kind=' SUBCLASS="vrtRAWrasterband"'), "has a 'vrtrawrasterband'"),
        (of("x.tif", more="<PixelFunctionLanguage>Python</PixelFunctionLanguage>"), "runs"),
        (of("x.tif", more="<pixelfunctioncode>1</pixelfunctioncode>"), "runs a program"),
        (of("x.tif", more="<OpenOptions><OOI key='A'>b</OOI></OpenOptions>"), "changes how"),
        (of("x.tif", more="<GeoLocTransformer/>"), "names files beside"),
        (dataset(of("x.tif")), "holds a '' vrtdataset"),
        (dataset("", ' subClass="VRTPansharpenedDataset"'), "holds a 'vrtpansharpeneddataset'"),
        (dataset("", ' subClass="VRTProcessedDataset"'), "holds a 'vrtprocesseddataset'"),
        (of("x.tif").replace("<VRTDataset", "<VRTDataset xmlns='a'").replace("x.tif", "/vsimem/a"),
         "an address or part"),
        ("<GDAL_WMS/>", "holds 'gdal_wms'"),
        ("", "is no plain XML"),
        (of("x.tif")[:-9], "is no plain XML"),
        ('<!DOCTYPE a [<!ENTITY b "x.tif">]>' + of("&b;"), "is no plain XML"),
        ('<!DOCTYPE a SYSTEM "http://a.com/a.dtd">' + of("x.tif"), "is no plain XML"),
    ],
)  # fmt: skip
def test_what_is_refused(virtual, text, line):
    said = refused(virtual(text))
    assert line in said
    assert "SECRET" not in said


@pytest.mark.parametrize("content", ["<GDAL_WMS></GDAL_WMS>", '{"type": "Feature"}', "", "CDF\x01"])
def test_a_source_is_known_by_what_is_in_it(virtual, tmp_path, content):
    """GDAL would fetch, or include, whatever a file called .tif names."""
    (tmp_path / "w.tif").write_text(content)
    assert "names w.tif, which is no raster" in refused(virtual(of("w.tif")))


def test_virtual_rasters_within_each_other(virtual):
    virtual(of("x.tif"), "a.tif")  # whatever it is called
    for name, inner in (("b.vrt", "a.tif"), ("c.vrt", "b.vrt"), ("d.vrt", "c.vrt")):
        check_virtual(virtual(of(inner), name))
    assert "more than 4 virtual rasters deep" in refused(virtual(of("d.vrt"), "e.vrt"))
    virtual(of("/vsicurl/http://a.com/x.tif"), "a.tif")
    assert "a.tif names '/vsicurl" in refused(virtual(of("b.vrt"), "c.vrt"))


def test_virtual_rasters_that_name_themselves(virtual):
    assert "names itself" in refused(virtual(of("v.vrt")))
    virtual(of("b.vrt"), "a.vrt")
    assert "names itself" in refused(virtual(of("a.vrt"), "b.vrt"))


def test_large_ones_are_refused_at_once(virtual, tmp_path):
    started = time.perf_counter()
    many = SOURCE.format(relative=1, name="x.tif")
    check_virtual(virtual(dataset(BAND.format(kind="", inside=many * 5000))))
    assert "is no plain file of at most 1 MB" in refused(virtual(" " * (2**20 + 1)))
    assert "is no plain XML" in refused(virtual("<a>" * (2**18)))
    (tmp_path / "v.vrt").unlink()
    (tmp_path / "v.vrt").mkdir()
    assert "is no plain file" in refused(tmp_path / "v.vrt")
    assert time.perf_counter() - started < 5


def test_formats_that_fetch_are_not_opened(tmp_path):
    """Why a driver is always named to GDAL: any of its formats hides behind any suffix."""
    path = Path(tmp_path / "x.tif")
    path.write_text(of("absent.tif"))
    with rasterio.open(path) as file:
        assert file.driver == "VRT"
    for driver in ("GTiff", "JP2OpenJPEG", "HFA", "ENVI"):
        with pytest.raises(rasterio.errors.RasterioIOError):
            rasterio.open(path, driver=driver)

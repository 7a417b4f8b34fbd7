"""Zip archives and rasters from strangers: what is read of them, and what is refused at once."""

import io
import json
import stat
import struct
import subprocess
import sys
import time
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from landslide_core.errors import UnreadableRaster
from landslide_core.readers.archives import is_archive, members, packed, read_text
from landslide_core.readers.bombs import bytes_held, refuse_bomb

SAFE = Path(__file__).resolve().parents[2] / "shared/data/scenes/safe"
ROOT = Path(__file__).resolve().parents[1]
ORIGIN = Affine(10, 0, 500_000, 0, -10, 3_100_000)

MEASURED = """
import json, re, sys, time, warnings
from pathlib import Path
warnings.simplefilter("ignore")
import rasterio
from landslide_core.errors import UnreadableRaster
from landslide_core.readers.archives import members, read_text
from landslide_core.readers.bombs import bytes_held, refuse_bomb
def most():  # MB; resource's figure starts at what the parent process had
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024
def bomb(name):
    with rasterio.open(name) as file:
        refuse_bomb(file, "it", bytes_held(file))
said = []
for what, name in json.loads(sys.argv[1]):
    call = {
        "members": lambda: members(Path(name)),
        "text": lambda: read_text(Path(name), "a.xml"),
        "bomb": lambda: bomb(name),
    }[what]
    before = most()
    start = time.perf_counter()
    try:
        found = f"let pass: {len(call() or ())}"
    except UnreadableRaster as error:
        found = str(error)
    said.append((found, time.perf_counter() - start, most(), most() - before))
print(json.dumps(said))
"""


def measured(*calls):
    """Message, seconds, peak memory of the process (MB) and how much of it is the call's own."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, json.dumps([(what, str(name)) for what, name in calls])],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    return json.loads(done.stdout)


def entry(
    name, content=b"x", *, method=8, claimed=None, flags=0, mode=0o100644, at=None, as_is=False
):
    """One member: its local part, and what the directory says of it from its place on."""
    raw = name if isinstance(name, bytes) else name.encode()
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = deflate.compress(content) + deflate.flush() if method == 8 and not as_is else content
    size = len(content) if claimed is None else claimed
    flags |= 0x800
    common = (flags, method, 0, 0x21, zlib.crc32(content), len(body), size, len(raw), 0)
    local = struct.pack("<4s5H3I2H", b"PK\3\4", 20, *common) + raw + body

    def directory(place):
        place = place if at is None else at
        tail = (0, 0, 0, mode << 16, place)
        return struct.pack("<4s6H3I5H2I", b"PK\1\2", 0x314, 20, *common, *tail) + raw

    return local, directory


def pack(path, *entries, listed=None, claimed=None):
    """A zip written by hand, so that it can lie."""
    body, directory = b"", b""
    for local, record in entries:
        directory += record(len(body))
        body += local
    count = len(entries) if listed is None else listed
    ends = (0, 0, count, count, claimed or len(directory), len(body), 0)
    path.write_bytes(body + directory + struct.pack("<4s4H2IH", b"PK\5\6", *ends))
    return path


def raster(path, width, height, dtype="uint16", count=1, driver="GTiff", **more):
    with rasterio.open(
        path,
        "w",
        driver=driver,
        width=width,
        height=height,
        count=count,
        dtype=dtype,
        crs="EPSG:32645",
        transform=ORIGIN,
        **more,
    ):
        pass
    return path


# ---- what is read


def test_files_are_listed_in_their_order_without_what_is_no_file(tmp_path):
    path = pack(
        tmp_path / "a.zip",
        entry("p.SAFE/", b"", method=0, mode=0o040755),
        entry("p.SAFE/GRANULE/B04.jp2", b"pixels"),
        entry("p.SAFE/MTD_MSIL2A.xml", b"<a/>", method=0),
        entry("p.SAFE/link.tif", b"/etc/passwd", mode=stat.S_IFLNK | 0o777),
        entry("__MACOSX/p.SAFE/._B04.jp2", b"fork"),
        entry("p.SAFE/._B04.jp2", b"fork"),
        entry("p.SAFE/all.vrt", b"<VRTDataset/>"),
        entry("p.SAFE/Überblick 中.tif", b"x"),
        entry("p.SAFE/inner.zip", b"PK"),
        entry("p.SAFE/empty.html", b""),
    )
    assert members(path) == (
        "p.SAFE/GRANULE/B04.jp2",
        "p.SAFE/MTD_MSIL2A.xml",
        "p.SAFE/Überblick 中.tif",
        "p.SAFE/inner.zip",
        "p.SAFE/empty.html",
    )
    assert read_text(path, "p.SAFE/MTD_MSIL2A.xml") == "<a/>"
    assert packed(path, "p.SAFE/MTD_MSIL2A.xml") == 4
    for left_out in ("p.SAFE/link.tif", "p.SAFE/all.vrt", "nothing"):
        with pytest.raises(UnreadableRaster, match="holds no"):
            read_text(path, left_out)


def test_an_ordinary_zip_of_real_rasters_reads_in_place(tmp_path):
    raster(tmp_path / "x.tif", 50, 40)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.write(tmp_path / "x.tif", "folder {1}/x.tif")
    (name,) = members(tmp_path / "a.zip")
    with rasterio.open(f"/vsizip/{{{tmp_path}/a.zip}}/{name}") as opened:
        assert opened.shape == (40, 50)
        with zipfile.ZipFile(tmp_path / "a.zip") as file:
            held = file.getinfo(name).compress_size
        assert bytes_held(opened) == held < (tmp_path / "x.tif").stat().st_size


def test_a_zip_is_known_by_its_suffix_or_its_first_bytes(tmp_path):
    path = pack(tmp_path / "a.zip", entry("b.tif"))
    (tmp_path / "no_suffix").write_bytes(path.read_bytes())
    (tmp_path / "b.tif").write_bytes(path.read_bytes())  # a raster's name stands for a raster
    (tmp_path / "broken.ZIP").write_bytes(b"something else")
    assert is_archive(path)
    assert is_archive(tmp_path / "no_suffix")
    assert is_archive(tmp_path / "broken.ZIP")
    assert not is_archive(tmp_path / "b.tif")
    assert not is_archive(tmp_path)
    assert not is_archive(tmp_path / "absent.zip")


def test_64_bit_archives_and_comments_are_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.comment = b"c" * 60_000
        with file.open("x.tif", "w", force_zip64=True) as member:
            member.write(b"pixels")
    assert members(tmp_path / "a.zip") == ("x.tif",)


def test_an_empty_band_of_a_product_passes(tmp_path):
    """10,980² uint16 without a valid pixel and without compression: 1,029:1 once zipped."""
    local = entry("T45_B04.tif", bytes(234_300), claimed=2 * 10_980**2, as_is=True)
    path = pack(tmp_path / "a.zip", local)
    with zipfile.ZipFile(path) as file:
        assert file.getinfo("T45_B04.tif").file_size > 1000 * path.stat().st_size
    assert members(path) == ("T45_B04.tif",)


@pytest.mark.skipif(not SAFE.is_dir(), reason=f"{SAFE} is not on this machine")
def test_real_products():
    optical, radar = (next(SAFE.glob(f"{name}*.zip")) for name in ("S2A", "S1A"))
    bands = [name for name in members(optical) if "/IMG_DATA/" in name and name.endswith(".jp2")]
    assert len(bands) >= 13
    for name in bands:
        with rasterio.open(f"/vsizip/{{{optical}}}/{name}") as file:
            refuse_bomb(file, name, bytes_held(file))
    assert len(members(radar)) == 21
    manifest = next(name for name in members(radar) if name.endswith("manifest.safe"))
    assert "acquisitionPeriod" in read_text(radar, manifest)


# ---- what is refused, each with its line


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("../x.tif", "leads out of the archive"),
        ("a/../../x.tif", "leads out of the archive"),
        ("/etc/x.tif", "is an absolute name"),
        ("a\\..\\x.tif", "backslash or a drive"),
        ("C:/x.tif", "backslash or a drive"),
        ("a//x.tif", "empty part"),
        ("./x.tif", "empty part"),
        ("a\nb.tif", "control characters"),
        ("a\x00b.tif", "control characters"),
        ("a\u202efit.tif", "control characters"),
        ("", "empty part"),
    ],
)
def test_unsafe_names(tmp_path, name, line):
    path = pack(tmp_path / "a.zip", entry("good.tif"), entry(name))
    with pytest.raises(UnreadableRaster, match=line) as caught:
        members(path)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("bad", "line"),
    [
        ({"flags": 1}, "is encrypted"),
        ({"flags": 0x40}, "is encrypted"),
        ({"method": 12}, r"packed by method 12; deflate \(8\)"),
        ({"method": 14}, "packed by method 14"),
        ({"claimed": 10_000}, "more than can be"),
        ({"claimed": 2, "method": 0}, "more than can be"),
        ({"content": b"", "method": 0}, "has 0 bytes"),
        ({"at": 1}, "shares its bytes"),
        ({"at": 2**31}, "lies outside the archive"),
    ],
)
def test_unsafe_members(tmp_path, bad, line):
    path = pack(tmp_path / "a.zip", entry("good.tif"), entry("bad.tif", **bad))
    for ask in (members, lambda path: read_text(path, "good.tif")):
        with pytest.raises(UnreadableRaster, match=line):
            ask(path)


def test_one_name_twice(tmp_path):
    path = pack(tmp_path / "a.zip", entry("a.tif", b"one"), entry("a.tif", b"two"))
    with pytest.raises(UnreadableRaster, match=r"'a\.tif' more than once"):
        members(path)


@pytest.mark.parametrize("names", [["a.zip"], ["a.zip", "b.tar.gz", "readme.txt"]])
def test_archives_in_an_archive(tmp_path, names):
    path = pack(tmp_path / "outer.zip", *(entry(name, b"PK") for name in names))
    with pytest.raises(UnreadableRaster, match=r"is nested: .* Unpack it"):
        members(path)


@pytest.mark.parametrize("kept", [0, 10, 0.5, 0.99])
def test_a_cut_off_or_other_file(tmp_path, kept):
    whole = pack(tmp_path / "a.zip", entry("a.tif", bytes(range(256)) * 9, method=0)).read_bytes()
    path = tmp_path / "cut.zip"
    path.write_bytes(whole[: kept if isinstance(kept, int) else int(kept * len(whole))])
    with pytest.raises(UnreadableRaster, match="is no complete zip archive"):
        members(path)
    with pytest.raises(UnreadableRaster, match="is not there"):
        members(tmp_path / "absent.zip")


def test_bytes_flipped_anywhere_never_raise_anything_else(tmp_path):
    whole = pack(tmp_path / "a.zip", entry("a.xml", b"<a>b</a>"), entry("b.tif")).read_bytes()
    path = tmp_path / "flipped.zip"
    rng = np.random.default_rng(0)
    lines = []
    for _ in range(500):
        bad = bytearray(whole)
        for at in rng.integers(0, len(bad), rng.integers(1, 4)):
            bad[at] = rng.integers(0, 256)
        path.write_bytes(bad)
        try:
            for name in members(path):
                read_text(path, name)
        except UnreadableRaster as error:
            lines.append(str(error))
    assert 100 < len(lines) <= 500
    assert all(line.isprintable() for line in lines)


def test_text_is_bounded_by_what_is_unpacked(tmp_path):
    path = pack(tmp_path / "a.zip", entry("a.xml", b"<a>" + b" " * 5000), entry("b.tif"))
    assert len(read_text(path, "a.xml", 5003)) == 5003
    with pytest.raises(UnreadableRaster, match=r"more than 5 kB"):
        read_text(path, "a.xml", 5002)
    small = pack(tmp_path / "b.zip", entry("a.xml", b" " * 5000, claimed=10))
    with pytest.raises(UnreadableRaster, match="no complete zip"):
        read_text(small, "a.xml")


# ---- bombs: under a second and 200 MB


def _overlapping(path):
    """250 files that all share one kernel of 4 MB of zeros: 1 GB in 20 kB."""
    kernel, directory = entry("000.tif", bytes(4 * 2**20))
    records = b"".join(directory(0)[:-7] + f"{i:03d}.tif".encode() for i in range(250))
    ends = (0, 0, 250, 250, len(records), len(kernel), 0)
    path.write_bytes(kernel + records + struct.pack("<4s4H2IH", b"PK\5\6", *ends))
    assert path.stat().st_size < 20_000
    return path


def _zeros(path, size):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file, file.open("a.xml", "w") as out:
        for _ in range(size // 2**20):
            out.write(bytes(2**20))
    return path


def _many(path, count):
    """Members without content: 46 bytes and a short name each."""
    records = bytearray()
    one = entry("00000000", b"", method=0)[1](0)
    for i in range(count):
        records += one[:-8] + b"%08d" % i
    ends = (0, 0, min(count, 65535), min(count, 65535), len(records), 0, 0)
    path.write_bytes(bytes(records) + struct.pack("<4s4H2IH", b"PK\5\6", *ends))
    return path


def test_bombs_are_refused_in_a_second_and_200_mb(tmp_path):
    with (tmp_path / "long.zip").open("wb") as file:  # 2 GB that claim to be a list of members
        file.truncate(2**31)
        file.seek(2**31)
        file.write(struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 9, 9, 2**31, 0, 0))
    claims = entry("a.tif", b"x" * 9, claimed=2**32 - 1)
    hollow = entry("a.tif", bytes(530_000), claimed=1020 * 530_000, as_is=True)
    sparse = raster(tmp_path / "sparse.tif", 16_685, 25_788, sparse_ok=True, bigtiff="YES")
    blocks = {"tiled": True, "blockxsize": 512, "blockysize": 512}
    empty = raster(tmp_path / "e.tif", 16_685, 25_788, "uint8", compress="deflate", **blocks)
    grand = raster(tmp_path / "grand.tif", 2**30, 2**20, sparse_ok=True, blockysize=2**14)
    with zipfile.ZipFile(tmp_path / "twice.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.write(empty, "a.tif")
    assert 400_000 < empty.stat().st_size < 500_000  # 430 MB in 450 kB
    calls = (
        ("members", _overlapping(tmp_path / "shared.zip"), "shares its bytes"),
        ("members", tmp_path / "long.zip", "lists more than 10,000 files"),
        ("members", _many(tmp_path / "many.zip", 300_000), "lists more than 10,000 files"),
        ("members", _many(tmp_path / "most.zip", 10_000), "shares its bytes"),
        ("members", pack(tmp_path / "claims.zip", claims), "more than can be"),
        ("members", pack(tmp_path / "hollow.zip", hollow), "claims 541 MB in 530 kB"),
        ("text", _zeros(tmp_path / "text.zip", 2**26), "more than 33.6 MB"),
        ("bomb", sparse, "claims 16,685×25,788 pixels (861 MB) in"),
        ("bomb", empty, "claims 16,685×25,788 pixels (430 MB) in"),
        ("bomb", f"/vsizip/{{{tmp_path}/twice.zip}}/a.tif", "claims 16,685×25,788"),
        ("bomb", grand, "is stored in blocks of"),
    )
    for (_, _, line), (said, seconds, peak, own) in zip(
        calls, measured(*((what, name) for what, name, _ in calls)), strict=True
    ):
        assert line in said
        assert seconds < 1, said
        assert own < 80, said  # MB
        assert peak < 200, said


def test_ten_thousand_files_are_listed(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as file:
        for i in range(10_000):
            file.writestr(f"S2A_MSIL2A_PRODUCT.SAFE/GRANULE/{i}/QI_DATA/MSK_{i}.gml", b"x")
    ((said, seconds, peak, _),) = measured(("members", path))
    assert said == "let pass: 10000"
    assert seconds < 1
    assert peak < 200


# ---- rasters that claim too much, or don't


@pytest.mark.parametrize(
    ("width", "height", "dtype", "more"),
    [
        (10_980, 10_980, "uint16", {"compress": "deflate", "blockysize": 10_980}),  # one strip
        (10_980, 10_980, "uint16", {"compress": "zstd", "tiled": True}),
        (10_980, 10_980, "uint16", {"driver": "JP2OpenJPEG"}),
        (900, 700, "float32", {"count": 2, "sparse_ok": True}),
    ],
)
def test_a_whole_band_may_be_empty(tmp_path, width, height, dtype, more):
    path = raster(tmp_path / "a.tif", width, height, dtype, **more)
    with rasterio.open(path) as file:
        assert width * height * np.dtype(dtype).itemsize > 500 * bytes_held(file) or width == 900
        refuse_bomb(file, "a.tif", bytes_held(file))


def test_a_large_raster_with_little_data_passes(tmp_path):
    """1 % of a sparse mosaic of 800 MB has data."""
    path = raster(
        tmp_path / "a.tif", 20_000, 20_000, compress="deflate", tiled=True, sparse_ok=True
    )
    noise = np.random.default_rng(0).integers(0, 4000, (1, 2000, 2000)).astype(np.uint16)
    with rasterio.open(path, "r+") as file:
        file.write(noise, window=rasterio.windows.Window(5000, 5000, 2000, 2000))
    with rasterio.open(path) as file:
        refuse_bomb(file, "a.tif", bytes_held(file))


def test_blocks_are_held_against_all_bands_that_are_decoded_together(tmp_path):
    tiles = {"tiled": True, "blockxsize": 6000, "blockysize": 6000, "sparse_ok": True}
    size = {"width": 6000, "height": 6000, "dtype": "float32", "count": 4, **tiles}
    apart = raster(tmp_path / "a.tif", **size, interleave="band")
    together = raster(tmp_path / "b.tif", **size, interleave="pixel")
    with rasterio.open(apart) as file:
        refuse_bomb(file, "a.tif", None)  # 144 MB
    with (
        rasterio.open(together) as file,
        pytest.raises(UnreadableRaster, match=r"b\.tif is stored in blocks of 576 MB"),
    ):
        refuse_bomb(file, "b.tif", None)


def test_too_many_bands(tmp_path):
    path = raster(tmp_path / "a.tif", 1, 1, "uint8", count=1001)
    with rasterio.open(path) as file, pytest.raises(UnreadableRaster, match="1,001 bands"):
        refuse_bomb(file, "a.tif", bytes_held(file))


def test_a_virtual_raster_holds_what_its_sources_hold(tmp_path):
    source = raster(tmp_path / "a.tif", 64, 64)
    vrt = tmp_path / "a.vrt"
    vrt.write_text(
        '<VRTDataset rasterXSize="100000" rasterYSize="100000">'
        '<VRTRasterBand dataType="UInt16" band="1"><SimpleSource>'
        '<SourceFilename relativeToVRT="1">a.tif</SourceFilename></SimpleSource></VRTRasterBand>'
        "</VRTDataset>"
    )
    with rasterio.open(vrt) as file:
        held = bytes_held(file)
        assert held == source.stat().st_size + vrt.stat().st_size
        with pytest.raises(UnreadableRaster, match=r"100,000×100,000 pixels \(20 GB\)"):
            refuse_bomb(file, "a.vrt", held)


def test_the_hand_made_zips_are_what_zipfile_reads(tmp_path):
    """The tests above lie on purpose; without a lie their zips are right."""
    path = pack(tmp_path / "a.zip", entry("a.tif", b"one" * 99), entry("b.xml", b"2", method=0))
    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as file:
        assert file.testzip() is None
        assert file.read("a.tif") == b"one" * 99
    started = time.perf_counter()
    assert members(path) == ("a.tif", "b.xml")
    assert time.perf_counter() - started < 0.1

"""Real files with bytes flipped, cut off or put in: refused, or read at the right place.

Every batch runs in a process of its own, so that a crash of a library is seen and counted. Which
damage is done follows from a number; `python tests/test_fuzz.py FOLDER 17 18` does number 17 alone.
LANDSLIDE_FUZZ=5000 does that many.
"""

import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tarfile
import threading
import time
import traceback
import zipfile
from collections import Counter
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
import pytest
import rasterio
from rasterio.windows import Window as Box

ROOT = Path(__file__).resolve().parents[1]
COUNT = int(os.environ.get("LANDSLIDE_FUZZ", "200"))
FIRST = int(os.environ.get("LANDSLIDE_FUZZ_FIRST", "0"))
SLOW = 5.0  # s of a processor that one scene may take
SILENT = 60.0  # s without a word from a batch, on a machine that others load: it hangs
MEMORY = 6 * 2**30  # bytes of addresses a batch may use
BANDS = ("B02", "B03", "B04", "B08")
SIDE = 120  # pixels


# ---- undamaged files


def write_bases(folder):
    """The real files to damage, small ones: a folder by kind."""
    folder.mkdir()
    sample = ROOT / "sample_data"
    optical = _crop(sample / "s2.tif")
    radar = _crop(sample / "s1_desc_post.tif")
    for name in ("stack", "pam", "vrt"):
        _write(folder / name / "s2.tif", optical, BANDS, tiled=True, compress="deflate")
    _write(folder / "stack" / "s1.tif", radar, ("VV", "VH"), predictor=3, compress="deflate")
    shutil.copy(sample / "scl.tif", folder / "stack" / "scl.tif")
    _metadata(folder / "pam" / "s2.tif.aux.xml")
    world = folder / "world" / "s2.tif"
    _write(world, optical, BANDS, TFW="YES", profile="BASELINE")
    _virtual(folder / "vrt" / "s2.vrt", optical)
    for kind, driver, end in (("bands", "GTiff", "tif"), ("jp2", "JP2OpenJPEG", "jp2")):
        for i, band in enumerate(BANDS):
            plane = (optical[0][i : i + 1], optical[1])
            more = {"QUALITY": "100", "REVERSIBLE": "YES"} if end == "jp2" else {}
            _write(folder / kind / f"T45RUM_{band}_10m.{end}", plane, None, driver=driver, **more)
    (folder / "bands" / "metadata.json").write_text(
        json.dumps({"PROCESSING_BASELINE": "05.09", "BOA_ADD_OFFSET": -1000, "PASS": "DESCENDING"})
    )
    _safe(
        folder / "safe" / "S2A_MSIL2A_20240102T030405_N0510_R061_T45RUM_20240102T060708.SAFE",
        optical,
    )
    (folder / "zip").mkdir()
    with zipfile.ZipFile(folder / "zip" / "s2.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((folder / "bands").iterdir()):
            archive.write(path, f"product/{path.name}")
    if (wheel := _wheel()) is not None:
        for name in ("S1", "S2"):
            with tarfile.open(wheel / f"BigEarthNet-{name}-Example.tar.bz2") as archive:
                wanted = [m for m in archive.getmembers() if m.name.endswith(_PAIR)]
                archive.extractall(folder / "wheel", wanted, filter="data")
    return folder


_PAIR = tuple(f"_29UPU_36_85_{p}.tif" for p in ("VV", "VH")) + tuple(
    f"_20170617T113321_36_85_{band}.tif" for band in BANDS
)


def _wheel():
    try:
        return Path(metadata.distribution("bigearthnet-common").locate_file("bigearthnet_common"))
    except metadata.PackageNotFoundError:
        return None


def _crop(path):
    """Part of a real raster, and where it lies."""
    with rasterio.open(path) as file:
        box = Box(200, 200, SIDE, SIDE)
        return file.read(window=box), (file.crs, file.window_transform(box))


def _profile(part):
    pixels, (crs, transform) = part
    count, height, width = pixels.shape
    size = {"count": count, "height": height, "width": width, "dtype": pixels.dtype}
    return {"driver": "GTiff", "crs": crs, "transform": transform, **size}


def _write(path, part, names=None, **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(path, "w", **{**_profile(part), **more}) as file:
        file.write(part[0])
        if names:
            file.descriptions = names
            file.update_tags(BOA_ADD_OFFSET="-1000")


def _metadata(path):
    """What GDAL keeps beside a raster: no-data value, statistics, a name."""
    path.write_text(
        "<PAMDataset><Metadata><MDI key='BOA_ADD_OFFSET'>-1000</MDI></Metadata>"
        + "".join(
            f"<PAMRasterBand band='{i}'><Description>{band}</Description>"
            f"<NoDataValue>0</NoDataValue><Scale>1</Scale><Offset>0</Offset></PAMRasterBand>"
            for i, band in enumerate(BANDS, 1)
        )
        + "</PAMDataset>"
    )


def _virtual(path, part):
    """A virtual raster of the four bands beside it."""
    crs, transform = part[1]
    bands = "".join(
        f"<VRTRasterBand dataType='UInt16' band='{i}'><Description>{band}</Description>"
        f"<SimpleSource><SourceFilename relativeToVRT='1'>s2.tif</SourceFilename>"
        f"<SourceBand>{i}</SourceBand><SrcRect xOff='0' yOff='0' xSize='{SIDE}' ySize='{SIDE}'/>"
        f"<DstRect xOff='0' yOff='0' xSize='{SIDE}' ySize='{SIDE}'/></SimpleSource></VRTRasterBand>"
        for i, band in enumerate(BANDS, 1)
    )
    path.write_text(
        f"<VRTDataset rasterXSize='{SIDE}' rasterYSize='{SIDE}'><SRS>{escape(crs.to_wkt())}</SRS>"
        f"<GeoTransform>{', '.join(map(str, transform.to_gdal()))}</GeoTransform>{bands}"
        "</VRTDataset>"
    )


def _safe(safe, part):
    """A level 2A product with its metadata."""
    for i, band in enumerate(BANDS):
        place = safe / "GRANULE/L2A_T45RUM_A04/IMG_DATA/R10m"
        name = f"T45RUM_20240102T030405_{band}_10m.jp2"
        _write(place / name, (part[0][i : i + 1], part[1]), driver="JP2OpenJPEG", QUALITY="100")
    offsets = "".join(f'<BOA_ADD_OFFSET band_id="{i}">-1000</BOA_ADD_OFFSET>' for i in range(13))
    (safe / "MTD_MSIL2A.xml").write_text(
        '<?xml version="1.0" encoding="UTF-8"?><n1:Level-2A_User_Product xmlns:n1="https://psd-14">'
        "<n1:General_Info><Product_Info><PROCESSING_BASELINE>05.10</PROCESSING_BASELINE>"
        "<Datatake><SENSING_ORBIT_NUMBER>61</SENSING_ORBIT_NUMBER></Datatake></Product_Info>"
        "<Product_Image_Characteristics><QUANTIFICATION_VALUES_LIST>"
        '<BOA_QUANTIFICATION_VALUE unit="none">10000</BOA_QUANTIFICATION_VALUE>'
        f"</QUANTIFICATION_VALUES_LIST><BOA_ADD_OFFSET_VALUES_LIST>{offsets}"
        "</BOA_ADD_OFFSET_VALUES_LIST></Product_Image_Characteristics></n1:General_Info>"
        "</n1:Level-2A_User_Product>"
    )


# ---- damage


@dataclass(frozen=True)
class Kind:
    """Files that are read together, and which of them is damaged."""

    s2: str = ""  # below the kind's folder
    s1: str = ""
    damaged: str = "*.tif"
    text: bool = False


KINDS = {
    "stack": Kind("s2.tif", "s1.tif", "*.tif"),
    "bands": Kind(".", damaged="*.tif"),
    "jp2": Kind(".", damaged="*.jp2"),
    "safe": Kind(".", damaged="*.xml", text=True),
    "json": Kind(".", damaged="metadata.json", text=True),
    "pam": Kind("s2.tif", damaged="*.xml", text=True),
    "world": Kind("s2.tif", damaged="*.tfw", text=True),
    "vrt": Kind("s2.vrt", damaged="*.vrt", text=True),
    "zip": Kind("s2.zip", damaged="*.zip"),
    "wheel": Kind("BigEarthNet-S2-Example", "BigEarthNet-S1-Example"),
}
FOLDERS = {"json": "bands"}
PIECES = (
    *(
        "9" * 400,
        "-1e999",
        "NaN",
        "\x00",
        "]]>",
        "<![CDATA[",
        "&amp;" * 50,
        "\ud83d\ude00",
        '{"a":',
    ),
    *("<!DOCTYPE x [<!ENTITY a 'aa'><!ENTITY b '&a;&a;'>]>", "<a>" * 3000, "[" * 3000, "../" * 9),
)


def harm(data, text, chance):
    """Bytes with one to eight things done to them."""
    for _ in range(chance.choice((1, 1, 2, 4, 8))):
        if not data:
            break
        # Headers lie first, and in a GeoTIFF sometimes last.
        at = chance.choice((chance.randrange(len(data)), chance.randrange(min(len(data), 600)), -1))
        at = chance.randrange(max(0, len(data) - 400), len(data)) if at < 0 else at
        long = chance.choice((1, 1, 2, 4, 16, 200))
        if text and chance.random() < 0.5:
            piece = chance.choice(PIECES).encode("utf-8", "surrogatepass")
            data = data[:at] + piece + data[at + chance.choice((0, len(piece))) :]
            continue
        way = chance.randrange(8)
        if way <= 2:  # a bit
            data = data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]
        elif way == 3:
            data = data[:at] + chance.randbytes(long) + data[at + long :]
        elif way == 4:
            data = data[:at] + chance.choice((b"\0", b"\xff")) * long + data[at + long :]
        elif way == 5:
            data = data[:at] + chance.randbytes(long) + data[at:]
        elif way == 6:
            data = data[:at] + data[at + long :]
        elif chance.random() < 0.3:
            data = data[:at]
    return data


def damaged(bases, folder, number):
    """Files of one kind, one of them damaged; what to read, and what was done."""
    chance = random.Random(number)
    kinds = [k for k in KINDS if (bases / FOLDERS.get(k, k)).is_dir()]
    name = kinds[number % len(kinds)]
    kind = KINDS[name]
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(bases / FOLDERS.get(name, name), folder)
    path = chance.choice(sorted(folder.rglob(kind.damaged)))
    path.write_bytes(harm(path.read_bytes(), kind.text, chance))
    given = {"s2": kind.s2, "desc_post": kind.s1}
    files = {role: (_single(folder / at),) for role, at in given.items() if at}
    if path.name == "scl.tif":
        files["s2"] = (*files["s2"], path)
    return files, f"{name} {path.name}"


def _single(path):
    """A folder's only folder, where it has just one; the wheel's patches lie in such."""
    inner = [p for p in path.iterdir() if p.is_dir()] if path.is_dir() else []
    return inner[0] if len(inner) == 1 and inner[0].suffix != ".SAFE" else path


# ---- one batch, in a process of its own


def placed(scene):
    """Where the sources' files say they lie, as rasterio has it."""
    found = set()
    for source in {source for band in scene.bands.values() for source in band}:
        with rasterio.open(source.path) as file:
            found.add((file.crs.to_wkt(), tuple(file.transform), file.shape))
    return found


def attempt(files):
    """Read a scene: what became of it, its grid and where its files say they lie."""
    from landslide_core.errors import SceneError
    from landslide_core.grid import Window
    from landslide_core.readers.given import SceneInputs
    from landslide_core.readers.inputs import open_scene

    try:
        scene = open_scene(SceneInputs(**files))
        height, width = scene.grid.shape
        pixels = scene.read(Window(height // 2 - 64, width // 2 - 64, 128, 128))
        scene.read_cloud(Window(0, 0))
    except SceneError as error:
        lines = str(error).count("\n")
        how = "refused by" if not lines else f"{lines + 1} lines from"
        return f"{how} {type(error).__name__}", None, None
    known = pixels[np.isfinite(pixels)]
    assert not np.isinf(pixels).any(), "an endless value was read"
    assert (np.abs(known) < 1e6).all(), f"a value of {np.abs(known).max():g} was read"
    return "read", (scene.grid.crs, tuple(scene.grid.transform), scene.grid.shape), placed(scene)


def batch(bases, first, last):
    """Read damaged scenes and say in a line of JSON what became of each."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    right = {}
    for name, kind in KINDS.items():
        home = bases / FOLDERS.get(name, name)
        if home.is_dir():
            given = {"s2": kind.s2, "desc_post": kind.s1}
            files = {role: (_single(home / at),) for role, at in given.items() if at}
            result, *right[name] = attempt(files)
            assert result == "read", f"{name} isn't read even undamaged: {result}"
    for number in range(first, last):
        folder = bases.parent / f"damaged-{os.getpid()}"
        files, what = damaged(bases, folder, number)
        say(number=number, what=what)
        began = time.process_time()
        try:
            result, grid, places = attempt(files)
            # What says it lies elsewhere may; what says the same must lie where it lay.
            if places is not None and places == right[what.split()[0]][1]:
                assert grid == right[what.split()[0]][0], f"misplaced: {grid}"
        except Exception:
            result = traceback.format_exc()
        spent = time.process_time() - began
        say(number=number, result=result, spent=spent)
    shutil.rmtree(bases.parent / f"damaged-{os.getpid()}", ignore_errors=True)


def say(**words):
    """Tell the test, at once."""
    sys.stdout.write(f"{json.dumps(words)}\n")
    sys.stdout.flush()


# ---- the tests


def run_batch(bases, first, last):
    """Outcome by number: what was damaged, what became of it, and the seconds it took."""
    outcomes = {}
    errors = bases.parent / "errors.txt"
    while first < last:
        with errors.open("w") as noise:
            process = subprocess.Popen(
                [sys.executable, __file__, str(bases), str(first), str(last)],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
                stdout=subprocess.PIPE,
                stderr=noise,
                text=True,
            )
            result = _listen(process, outcomes)
        if process.returncode == 0:
            break
        assert outcomes, errors.read_text()
        # It ended, or was ended, on the number that it named last: go on behind it.
        number = max(outcomes)
        assert number >= first, errors.read_text()
        outcomes[number]["result"] = f"{result}: {errors.read_text()[-2000:]}"
        first = number + 1
    return outcomes


def _listen(process, outcomes):
    """Take what a batch says until it ends or falls silent."""
    last = [time.monotonic()]

    def listen():
        for line in process.stdout:
            last[0] = time.monotonic()
            said = json.loads(line)
            outcomes.setdefault(said["number"], {}).update(said)

    ear = threading.Thread(target=listen, daemon=True)
    ear.start()
    while process.poll() is None:
        time.sleep(0.1)
        if time.monotonic() - last[0] > SILENT:
            process.kill()
            process.wait()
            return "hung"
    ear.join()
    return f"crashed with {process.returncode}"


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    """The undamaged files."""
    return write_bases(tmp_path_factory.mktemp("fuzz") / "bases")


def test_damaged_files_are_refused_or_read_where_they_lie(bases):
    outcomes = run_batch(bases, FIRST, FIRST + COUNT)
    assert len(outcomes) == COUNT
    counts = Counter(o["result"].split("\n")[0] for o in outcomes.values())
    sys.stdout.write("".join(f"{n} {result}\n" for result, n in counts.most_common()))
    bad = {
        f"{number}, {o['what']}": o["result"]
        for number, o in outcomes.items()
        if o["result"] != "read" and not o["result"].startswith("refused by")
    }
    assert not bad, "\n\n".join(f"{name}: {result}" for name, result in bad.items())
    slow = {o["number"]: o["spent"] for o in outcomes.values() if o["spent"] > SLOW}
    assert not slow
    assert counts["read"] > COUNT / 10  # the damage isn't so great that nothing is tried
    assert sum(counts.values()) - counts["read"] > COUNT / 10


# What the damage found, each as small as it can be.


def test_a_name_in_another_encoding_is_no_crash(bases, tmp_path):
    path = tmp_path / "s2.tif"
    _write(path, _crop(ROOT / "sample_data" / "s2.tif"), BANDS)
    path.write_bytes(path.read_bytes().replace(b">B02<", b">\xd602<"))  # Latin-1
    result, *_ = attempt({"s2": (path,)})
    assert result == "read" or result.startswith("refused by")


@pytest.mark.parametrize(
    ("found", "put"),
    [("UTM zone 45N", 'UTM zone 45{""a"":N'), ("Transverse_Mercator", "Transverse_Merkator")],
)
def test_a_reference_system_that_only_gdal_reads_is_no_crash(bases, tmp_path, found, put):
    shutil.copytree(bases / "vrt", tmp_path / "vrt")
    path = tmp_path / "vrt" / "s2.vrt"
    path.write_text(path.read_text().replace(found, put))
    result, *_ = attempt({"s2": (path,)})
    assert result == "read" or result.startswith("refused by")


if __name__ == "__main__":
    batch(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))

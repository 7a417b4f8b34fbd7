"""Memory does not grow with the scene: sixteen times the area, next to the same memory."""

import subprocess
import sys

import numpy as np
import rasterio
from conftest import ORIGIN, UTM, scene_numbers, write_scene_files

MEASURE = """
import resource, sys
from pathlib import Path
from landslide_core.readers.given import SceneInputs
from landslide_core.plan import RunOptions
from landslide_core.runs import predict_scene
folder, bundle = Path(sys.argv[1]), Path(sys.argv[2])
radar = {r: (folder / f"s1_{r}.tif",) for r in ("desc_pre", "desc_post", "asc_pre", "asc_post")}
inputs = SceneInputs(s2=(folder / "s2.tif",), **radar)
predict_scene(inputs, RunOptions(bundle, device="cpu"), folder / "run")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)  # KiB
"""


def repeated(folder, block, side):
    """A scene of side×side pixels that repeats a small one's files, written row by row."""
    folder.mkdir()
    for path in block.glob("*.tif"):
        with rasterio.open(path) as small:
            pixels, names, tags = small.read(), small.descriptions, small.tags()
        times = -(-side // pixels.shape[2])
        row = np.tile(pixels, (1, 1, times))[:, :, :side]
        profile = {"crs": UTM, "transform": ORIGIN, "tiled": True, "compress": "lzw"}
        profile |= {"height": side, "width": side, "count": len(pixels), "dtype": pixels.dtype}
        with rasterio.open(folder / path.name, "w", driver="GTiff", **profile) as large:
            large.descriptions = names
            large.update_tags(**tags)
            for top in range(0, side, row.shape[1]):
                part = row[:, : min(row.shape[1], side - top)]
                large.write(part, window=((top, top + part.shape[1]), (0, side)))
    return folder


def peak(folder, bundle_path):
    """Peak resident memory in KiB of a whole process that judges the scene."""
    command = [sys.executable, "-c", MEASURE, str(folder), str(bundle_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1])


def test_memory_does_not_grow_with_the_scene(tmp_path, bundle_path):
    write_scene_files(tmp_path / "block", scene_numbers((256, 256)))
    small = peak(repeated(tmp_path / "small", tmp_path / "block", 512), bundle_path)
    large = peak(repeated(tmp_path / "large", tmp_path / "block", 2048), bundle_path)
    assert large <= 1.3 * small, f"{small} KiB at 512², {large} KiB at 2,048²"

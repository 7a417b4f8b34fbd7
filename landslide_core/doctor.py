"""What this installation has: versions, devices, drivers, and what is missing."""

import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import rasterio
import torch
from rasterio.drivers import raster_driver_extensions

from landslide_core.bundle import load_bundle
from landslide_core.errors import BundleError
from landslide_core.readers.addresses import private_allowed
from landslide_core.readers.ground.heights import geoid
from landslide_core.readers.ground.ready import cache_folder

_PACKAGES: Final = (
    *("torch", "xgboost-cpu", "rasterio", "geopandas", "pyogrio", "odc-geo", "rio-cogeo"),
    *("streamlit", "folium", "streamlit-folium", "plotly", "scikit-learn", "safetensors"),
    *("pystac-client", "odc-stac", "planetary-computer", "sarsen", "xarray-sentinel"),
    *("h5py", "optuna", "codecarbon", "matplotlib", "onnx", "onnxscript", "onnxruntime"),
)
_FORMATS: Final = {"GTiff": "tif", "JP2OpenJPEG": "jp2"}


@dataclass(frozen=True)
class Examination:
    """What was found, and a line for everything that is missing."""

    facts: dict[str, str]
    missing: list[str]


def _driver() -> str:
    """Version of the NVIDIA driver, as its own tool tells it."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return "none"
    query = [tool, "--query-gpu=driver_version", "--format=csv,noheader"]
    answer = subprocess.run(query, capture_output=True, text=True, check=False)
    return answer.stdout.split("\n")[0] or "does not answer"


def examine(bundle: Path) -> Examination:
    """Look at packages, devices, raster drivers and the bundle."""
    facts = {
        "python": platform.python_version(),
        "system": platform.platform(terse=True),
        "processor cores": str(os.cpu_count()),
        "gdal": rasterio.__gdal_version__,
    }
    missing = []
    for package in _PACKAGES:
        try:
            facts[package] = version(package)
        except PackageNotFoundError:
            missing.append(f"package {package}; install it with `pip install -r requirements.txt`")
    if torch.cuda.is_available():
        for i in range(torch.cuda.device_count()):
            memory = torch.cuda.get_device_properties(i).total_memory / 2**30
            facts[f"cuda:{i}"] = f"{torch.cuda.get_device_name(i)}, {memory:.0f} GiB"
    else:
        facts["cuda"] = "no device; the processor is used"
    facts["cuda runtime"] = torch.version.cuda or "none in this build of torch"
    facts["nvidia driver"] = _driver()
    extensions = raster_driver_extensions()
    for driver, extension in _FORMATS.items():
        if extension in extensions:
            facts[f"reads .{extension}"] = extensions[extension]
        else:
            missing.append(f"GDAL driver {driver}; .{extension} files cannot be read")
    facts["geoid"] = (
        "EGM96, elevation above the sea is raised by it"
        if geoid()
        else "none in PROJ's data; Sentinel-1 GRD with a sea-level DEM may be off by up to 110 m"
    )
    facts["geocoded radar is kept in"] = str(cache_folder())
    facts["private addresses"] = "allowed" if private_allowed() else "refused"
    try:
        loaded = load_bundle(bundle)
        facts["bundle"] = (
            f"{bundle}, {len(loaded.members)} members, calibrated for {len(loaded.calibration)} "
            f"combinations of inputs, {loaded.sha256[:12]}"
        )
    except BundleError as error:
        missing.append(str(error))
    facts["free disk"] = f"{shutil.disk_usage(Path.cwd()).free / 1e9:.1f} GB"
    return Examination(facts, missing)

"""Figures on disk, each with the machine, versions, date and command they come from."""

import json
import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import torch

from landslide_core.errors import LandslideError

FOLDER: Final = Path(__file__).parent / "results"
_PACKAGES: Final = ("torch", "numpy", "xgboost-cpu", "rasterio", "onnxruntime", "openvino")
_INSTRUCTIONS: Final = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8")


class ResultsMissing(LandslideError):
    """A report was asked for before anything was measured."""


@dataclass(frozen=True)
class Record:
    """One benchmark's figures and where they come from."""

    name: str
    command: str
    date: str
    machine: Mapping[str, Any]
    versions: Mapping[str, str]
    figures: Mapping[str, Any]


def keep(name: str, figures: Mapping[str, Any], folder: Path) -> Path:
    """Write figures as folder/NAME.json, in place of older ones."""
    record = {
        "name": name,
        "command": " ".join(["python", "-m", "benchmarks", *sys.argv[1:]]),
        "date": datetime.now(UTC).isoformat(timespec="minutes"),
        "machine": machine(),
        "versions": versions(),
        "figures": figures,
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(record, indent=1) + "\n")
    return path


def load(folder: Path) -> dict[str, Record]:
    """All figures of a folder by name. Raises ResultsMissing."""
    records = [Record(**json.loads(path.read_text())) for path in sorted(folder.glob("*.json"))]
    if not records:
        raise ResultsMissing(
            f"{folder} holds no figures; at least one benchmark's are needed. "
            "Run `python -m benchmarks stages` first."
        )
    return {record.name: record for record in records}


def machine() -> dict[str, Any]:
    """Processor, cores, memory and accelerator."""
    info = _cpu_info()
    flags = info.get("flags", "").split()
    return {
        "processor": info.get("model name") or platform.processor() or platform.machine(),
        "instructions": [name for name in _INSTRUCTIONS if name in flags],
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "system": f"{platform.system()} {platform.release()}",
    }


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that figures depend on, where installed."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _cpu_info() -> dict[str, str]:
    """What Linux says of the first processor; empty elsewhere."""
    path = Path("/proc/cpuinfo")
    if not path.is_file():
        return {}
    lines = (line.partition(":") for line in path.read_text().split("\n\n")[0].splitlines())
    return {key.strip(): value.strip() for key, _, value in lines}

"""Files from the browser: kept apart by upload, so that neither name nor size confuses two."""

import hashlib
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol


class Sent(Protocol):
    """What Streamlit hands over for an uploaded file."""

    name: str
    file_id: str  # of this upload: the same file sent again has another

    def getbuffer(self) -> memoryview: ...


def safe_name(name: str) -> str:
    """A file name without folders or odd characters, at most 120 characters long."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "_", re.split(r"[/\\]", name)[-1]).lstrip(".")
    return stem[-120:] or "file"


def keep(files: Iterable[Sent], folder: Path) -> dict[str, Path]:
    """Write files to FOLDER/UPLOAD/NAME; paths by name, "VV.tif (2)" where names repeat."""
    paths = []
    for file in files:
        path = folder / safe_name(file.file_id) / safe_name(file.name)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_name(f".{path.name}")  # a file is there whole or not at all
            partial.write_bytes(file.getbuffer())
            partial.replace(path)
        paths.append(path)
    return labelled(paths)


def labelled(paths: Sequence[Path]) -> dict[str, Path]:
    """Paths by file name, with an ordinal where names repeat."""
    often = Counter(path.name for path in paths)
    seen: Counter[str] = Counter()
    labels = {}
    for path in paths:
        seen[path.name] += 1
        label = f"{path.name} ({seen[path.name]})" if often[path.name] > 1 else path.name
        labels[label] = path
    return labels


def side_by_side(paths: Sequence[Path], folder: Path) -> list[Path]:
    """The same files in one folder of their own, linked: the reader takes bands that lie
    together for one product. Where names repeat, the first ones make one folder, and so on.
    """
    seen: Counter[str] = Counter()
    products: dict[int, list[Path]] = {}
    for path in paths:
        products.setdefault(seen[path.name], []).append(path)
        seen[path.name] += 1
    placed = []
    for members in products.values():
        if len(members) == 1:
            placed += members
            continue
        uploads = " ".join(path.parent.name for path in members)
        home = folder / f"product-{hashlib.sha256(uploads.encode()).hexdigest()[:16]}"
        home.mkdir(exist_ok=True)
        placed += [_linked(path, home / path.name) for path in members]
    return placed


def _linked(path: Path, to: Path) -> Path:
    if not to.exists():
        try:
            os.link(path, to)
        except OSError:  # a file system without hard links
            shutil.copy2(path, to)
    return to

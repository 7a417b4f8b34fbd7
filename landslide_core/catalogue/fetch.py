"""What was chosen in a catalogue -> files of one scene in a folder, only the area's window."""

import json
import shlex
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from errno import ENOSPC
from pathlib import Path
from typing import Any, Final

import rasterio
from odc.geo.geobox import GeoBox
from rasterio.errors import RasterioError

from landslide_core.catalogue.candidates import Candidate
from landslide_core.catalogue.layers import WARNING, write_classes, write_optical, write_radar
from landslide_core.catalogue.mosaic import Remote, Tell, remote_reading
from landslide_core.catalogue.search import PASSES, Catalogue, Choice, Wish
from landslide_core.errors import CannotWrite, CatalogueError, NoSpace, RunBusy
from landslide_core.lock import held
from landslide_core.places import is_address, without_query
from landslide_core.readers.given import SceneInputs

Progress = Callable[[str, int, int], None]  # file, strips done, strips in all
Fill = Callable[[Path, Candidate, GeoBox, Remote, Tell], None]

REQUEST: Final = "request.json"
ITEMS: Final = "items.json"
_UNDER_WAY: Final = ".partial"  # folder of what isn't whole yet
_SPARE: Final = 50 * 2**20  # bytes


@dataclass(frozen=True)
class Fetched:
    """A scene's files, and what to know about them."""

    inputs: SceneInputs
    warnings: tuple[str, ...]

    def predict_line(self) -> str:
        """The command that judges the scene."""
        options = {"--s2": "s2", **{f"--s1-{r.replace('_', '-')}": r for r in _ROLES}}
        words = ["landslide", "predict"]
        for option, role in options.items():
            for path in self.inputs.given(role):
                words += [option, str(path)]
        words += ["--event", str(self.inputs.event), "--out", "runs/NAME"]
        return shlex.join(words)


_ROLES: Final = tuple(f"{name}_{side}" for name in PASSES for side in ("pre", "post"))


def fetch(
    choice: Choice, wish: Wish, catalogue: Catalogue, folder: Path, progress: Progress | None = None
) -> Fetched:
    """Load the area's window of what was chosen into a folder, as COGs on one 10 m UTM grid.

    Files that are whole already stay, so that an interrupted fetch goes on. Raises CatalogueError
    where files don't answer, RunBusy where the folder holds something else, NoSpace, CannotWrite.
    """
    tell = progress or _silent
    named = _named(choice)
    if not named:
        raise CatalogueError("Nothing was chosen to be loaded; at least one image is needed.")
    geobox = wish.area.window(_zone(choice, wish))
    with _written(folder, _request(choice, wish, catalogue, geobox)) as beside:
        _check_space(folder, geobox, named)
        _write_items(folder / ITEMS, choice)
        for name, (acquisition, fill) in named.items():
            path = folder / name
            if path.is_file():
                continue
            with remote_reading(catalogue.sign) as remote:
                fill(beside / name, acquisition, geobox, remote, _telling(tell, name))
            (beside / name).replace(path)
    return Fetched(_inputs(folder, choice, wish), _warnings(folder, named))


def _named(choice: Choice) -> dict[str, tuple[Candidate, Fill]]:
    """The files to be written, from which acquisition and how."""
    named: dict[str, tuple[Candidate, Fill]] = {}
    if choice.optical:
        named["s2.tif"] = (choice.optical, write_optical)
        if all("SCL" in granule.assets for granule in choice.optical.granules):
            named["scl.tif"] = (choice.optical, write_classes)
    named |= {f"s1_{role}.tif": (found, write_radar) for role, found in choice.radar.items()}
    return named


def _zone(choice: Choice, wish: Wish) -> str:
    """The UTM zone of the optical image, else of the radar, else of the area."""
    found = [choice.optical, *choice.radar.values()]
    own = wish.area.utm
    for crs in (a.granules[0].crs for a in found if a):
        if crs and (int(crs[-2:]) - int(own[-2:])) % 60 in (0, 1, 59):  # next door at most
            return crs
    return own


@contextmanager
def _written(folder: Path, request: Mapping[str, Any]) -> Iterator[Path]:
    """Hold a folder for one fetch; gives the folder in it for what isn't whole yet.

    Raises RunBusy where it holds something else or is being written, NoSpace, CannotWrite.
    """
    beside = folder / _UNDER_WAY
    try:
        _refuse_other(folder, request)
        beside.mkdir(parents=True, exist_ok=True)
        with held(beside, str(folder)):
            for left in beside.glob("*.tif"):  # of a fetch that was killed
                left.unlink()
            _write_json(folder / REQUEST, request)
            yield beside
        shutil.rmtree(beside, ignore_errors=True)
    except (OSError, RasterioError) as error:
        if getattr(error, "errno", None) == ENOSPC or _free(folder) < _SPARE:
            raise NoSpace(
                f"The disk of {folder} is full; what was whole is kept. Free some space and try "
                "again."
            ) from error
        raise CannotWrite(
            f"{folder} cannot be written ({error}). Choose another folder."
        ) from error


def _refuse_other(folder: Path, request: Mapping[str, Any]) -> None:
    """Raise RunBusy for a folder that holds anything but this very fetch."""
    if not folder.exists():
        return
    try:
        begun = json.loads((folder / REQUEST).read_text())
    except (OSError, ValueError):
        begun = None
    others = any(not path.name.startswith(".") for path in folder.iterdir())
    if begun != json.loads(json.dumps(request)) and others:
        raise RunBusy(
            f"{folder} holds something else; a new folder is needed, or that of the same search "
            "to go on with it. Choose another --fetch."
        )


def _request(choice: Choice, wish: Wish, catalogue: Catalogue, geobox: GeoBox) -> dict[str, Any]:
    """What is fetched, as JSON: the same for the same wish and choice."""
    return {
        "format": 1,
        "catalogue": without_query(catalogue.address),
        "area": wish.area.geojson(),
        "event": wish.event.isoformat(),
        "grid": {
            "crs": str(geobox.crs),
            "transform": list(geobox.transform)[:6],
            "height": geobox.shape.y,
            "width": geobox.shape.x,
        },
        "files": {name: [g.id for g in a.granules] for name, (a, _) in _named(choice).items()},
    }


def _write_items(path: Path, choice: Choice) -> None:
    """The chosen items as a GeoJSON collection, without signatures."""
    acquisitions = [a for a in (choice.optical, *choice.radar.values()) if a]
    items = {g.id: g.record for a in acquisitions for g in a.granules}
    features = [_bare(item) for item in items.values()]
    _write_json(path, {"type": "FeatureCollection", "features": features})


def _bare(value: Any) -> Any:
    """JSON with every address in it bare of query and user."""
    if isinstance(value, Mapping):
        return {key: _bare(inner) for key, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_bare(inner) for inner in value]
    return without_query(value) if is_address(value) else value


def _write_json(path: Path, value: Any) -> None:
    beside = path.with_name(f".{path.name}")
    beside.write_text(json.dumps(value, indent=1))
    beside.replace(path)


def _check_space(folder: Path, geobox: GeoBox, named: Mapping[str, Any]) -> None:
    """Raise NoSpace where the files might not find room: each is there twice for a while."""
    pixels = geobox.shape.y * geobox.shape.x
    lacking = [name for name in named if not (folder / name).is_file()]
    # int16 × 4 bands, or float32 × 2; overviews make a third more
    needed = len(lacking) * pixels * 8 * 4 // 3 + pixels * 8 + _SPARE
    free = _free(folder)
    if free < needed:
        raise NoSpace(
            f"The disk of {folder} has {free / 1e6:,.0f} MB free; {needed / 1e6:,.0f} MB are "
            "needed. Free some space, or choose a smaller area."
        )


def _free(folder: Path) -> int:
    """Bytes free on the disk of a folder, there already or not."""
    there = next(p for p in (folder, *folder.absolute().parents) if p.exists())
    return shutil.disk_usage(there).free


def _inputs(folder: Path, choice: Choice, wish: Wish) -> SceneInputs:
    """The files by role."""
    radar = {role: (folder / f"s1_{role}.tif",) for role in choice.radar}
    return SceneInputs(
        s2=tuple(folder / name for name in _named(choice) if name in ("s2.tif", "scl.tif")),
        desc_pre=radar.get("desc_pre", ()),
        desc_post=radar.get("desc_post", ()),
        asc_pre=radar.get("asc_pre", ()),
        asc_post=radar.get("asc_post", ()),
        event=wish.event,
    )


def _warnings(folder: Path, named: Mapping[str, Any]) -> tuple[str, ...]:
    found = []
    for name in named:
        with rasterio.open(folder / name) as file:
            found.append(file.tags().get(WARNING, ""))
    return tuple(filter(None, found))


def _telling(tell: Progress, name: str) -> Tell:
    return lambda done, total: tell(name, done, total)


def _silent(name: str, done: int, total: int) -> None:
    """Report to nobody."""

"""What an exported file says of itself: its tensors, its origin, and what it lacks."""

from dataclasses import asdict
from typing import Any, Final

from landslide_core.bands import BANDS, CHANNELS, PIXEL, TILE
from landslide_core.bundle import Bundle
from landslide_core.judgement import LEAST_VALID, VIEWS
from landslide_core.manifest import CARD_TEXT
from landslide_core.preprocess import CLOUD_RED

OPSET: Final = 18  # the oldest that the exporter writes unconverted: plugins hold old runtimes
IR_VERSION: Final = 8  # of the file format, the one that came with that opset
NO_DATA: Final = -9999.0  # what rasters without NaN usually hold where they have no data
LEAST: Final = -9998.0  # values outside these are no data: a margin for what tools round
MOST: Final = 1e6


def metadata(bundle: Bundle, raster: bool) -> dict[str, Any]:
    """What a user of the file alone must know; every value is stored as JSON."""
    told = {
        "bundle": bundle.name,
        "bundle_sha256": bundle.sha256,
        "licence": _licence(bundle),
        "opset": OPSET,
        "members": len(bundle.members),
        "views": VIEWS,
        "member_thresholds": [member.threshold for member in bundle.members],
        "left_out": (
            "the filter (stage 1), the calibration and the verdict; probability is the plain mean "
            "of the votes, not the calibrated probability of a run"
        ),
        "input": _raster_contract() if raster else _input_contract(),
        "outputs": _map_contract() if raster else _output_contract(),
    }
    return {**told, **_deepness()} if raster else told


def _input_contract() -> dict[str, Any]:
    return {
        "shape": ["batch", len(CHANNELS), TILE, TILE],
        "type": "float32",
        "pixel": f"{PIXEL:g} m, north up, rows from north to south",
        "value": "(physical − mean) / std of its channel",
        "no_data": "0 after normalisation, in every channel that lacks the pixel",
        "cloud": (
            f"1 where the scene classification says cloud, else 0; without one, 1 where "
            f"normalised red exceeds {CLOUD_RED:g}"
        ),
        "channels": [asdict(channel) for channel in CHANNELS],
    }


def _raster_contract() -> dict[str, Any]:
    return {
        "shape": ["batch", len(BANDS), TILE, TILE],
        "type": "float32",
        "pixel": f"{PIXEL:g} m, north up, rows from north to south",
        "value": "physical: surface reflectance × 10⁴ without offset, backscatter in dB",
        "no_data": f"NaN, {NO_DATA:g}, or anything not between {LEAST:g} and {MOST:g}",
        "cloud": f"found inside: normalised red over {CLOUD_RED:g}",
        "channels": [asdict(band) for band in BANDS],
    }


def _output_contract() -> dict[str, str]:
    return {
        "probability": "(batch,) mean of the votes, 0..1",
        "spread": "(batch,) standard deviation of the votes (population), 0..0.5",
        "votes": "(batch, members, views) each 0..1",
        "log_odds": "(batch,) mean of the votes' natural log-odds, what the calibration takes",
        "heat": "(batch, 32, 32) probability of a landslide in each cell of 2×2 pixels",
    }


def _map_contract() -> dict[str, str]:
    lacking = f"NaN where less than {LEAST_VALID:.0%} of the tile's pixels have data"
    return {
        "probability_map": f"(batch, 1, {TILE}, {TILE}) mean of the votes, one value a tile; "
        + lacking,
        "heat_map": f"(batch, 1, {TILE}, {TILE}) probability in each cell of 2×2 pixels; "
        + lacking,
    }


def _deepness() -> dict[str, Any]:
    """What QGIS's Deepness plugin reads from a model that gives one value a pixel."""
    return {
        "model_type": "Regressor",
        "class_names": [{"0": "landslide_percent"}, {"0": "landslide_heat_percent"}],
        "resolution": PIXEL * 100,  # cm a pixel
        "tile_size": TILE,
        "tiles_overlap": 0,  # per cent
        # Its result is held in whole numbers 0..255: a probability of 0.9 would become 0.
        "reg_output_scaling": 100.0,
        # It divides every value by 255 and then standardises: this undoes the division.
        "standardization_mean": [0.0] * len(BANDS),
        "standardization_std": [1 / 255] * len(BANDS),
    }


def _licence(bundle: Bundle) -> str:
    """The card's section on licence and attribution, in one line."""
    card = bundle.path / CARD_TEXT
    text = card.read_text() if card.is_file() else ""
    _, _, section = text.partition("## Licence")
    lines = section.partition("\n##")[0].splitlines()[1:]
    return " ".join(line.strip() for line in lines if line.strip()) or "not stated in the card"

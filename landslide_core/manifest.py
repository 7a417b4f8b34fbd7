"""What a bundle folder says of itself: its manifest and card, without what was fitted.

This and `bundle.py` are the only modules that know the file names inside `models/<name>/`.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from landslide_core.errors import BundleCorrupt, BundleNotFound
from landslide_core.hashes import sha256_of

# Shares of the training tiles' pixels whose values a bundle keeps of each band.
QUANTILES: Final = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
CARD_TEXT: Final = "card.md"
MANIFEST: Final = "manifest.json"
CARD: Final = "card.json"
REMEDY: Final = "Restore the folder from the repository or fit it again with `landslide train`."


def manifest_of(path: Path) -> bytes:
    """A bundle's manifest as it lies there. Raises BundleNotFound."""
    try:
        return (path / MANIFEST).read_bytes()
    except OSError as error:
        raise BundleNotFound(
            f"There is no model bundle at {path} (no {MANIFEST}); a folder made by "
            "`landslide train` is needed. Check --bundle."
        ) from error


def card_of(path: Path) -> dict[str, Any]:
    """A bundle's card alone, its hash verified. Raises BundleNotFound, BundleCorrupt."""
    content = manifest_of(path)
    try:
        hashes = json.loads(content).get("described", {})
        verify(path, {name: found for name, found in hashes.items() if name == CARD})
        card: dict[str, Any] = json.loads((path / CARD).read_text())
    except (OSError, ValueError, AttributeError) as error:
        raise BundleCorrupt(
            f"The card of {path} does not read ({type(error).__name__}). {REMEDY}"
        ) from error
    return card


def identity_of(path: Path) -> str:
    """A bundle's SHA-256 by its manifest, which loading it holds its files against.

    Raises BundleNotFound, BundleCorrupt.
    """
    return identity(_parsed(path))


def quantiles_of(path: Path) -> Mapping[str, Sequence[float]]:
    """Of each band over the training tiles, QUANTILES. Raises BundleNotFound, BundleCorrupt."""
    try:
        found: Mapping[str, Sequence[float]] = _parsed(path)["quantiles"]["bands"]
    except (KeyError, TypeError) as error:
        raise BundleCorrupt(f"{path / MANIFEST} has no quantiles. {REMEDY}") from error
    return found


def _parsed(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(manifest_of(path))
    except ValueError as error:
        raise BundleCorrupt(
            f"{path / MANIFEST} does not read as a manifest ({error}). {REMEDY}"
        ) from error
    if not isinstance(found, dict):
        raise BundleCorrupt(f"{path / MANIFEST} does not read as a manifest. {REMEDY}")
    return found


def verify(path: Path, hashes: Mapping[str, str]) -> None:
    for name, wanted in hashes.items():
        if not (path / name).is_file():
            raise BundleCorrupt(f"The bundle at {path} lacks {name}. {REMEDY}")
        found = sha256_of(path / name)
        if found != wanted:
            raise BundleCorrupt(
                f"{path / name} has sha256 {found[:12]}…, its manifest says {wanted[:12]}…. "
                f"{REMEDY}"
            )


def identity(manifest: Mapping[str, Any]) -> str:
    """Hash of everything fitted: two trainings that end alike have the same."""
    fitted = {key: value for key, value in manifest.items() if key != "described"}
    return hashlib.sha256(json.dumps(fitted, sort_keys=True).encode()).hexdigest()

"""A bundle folder <-> memory: everything fitted, with a hash of every file; no pickles.

This is the only module that knows the file names inside `models/<name>/`.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import safetensors.torch
import torch
import xgboost
from safetensors import SafetensorError

from landslide_core.bands import BAND_NAMES, BANDS
from landslide_core.ensemble import Member
from landslide_core.errors import BundleCorrupt, BundleIncompatible, BundleNotFound
from landslide_core.features import filter_feature_names
from landslide_core.network import LandslideFPN, NetworkOptions
from landslide_core.prefilter import Prefilter

FORMAT: Final = 1
_MANIFEST: Final = "manifest.json"
_FILTER: Final = "prefilter.json"
_CARD: Final = "card.json"
CARD_TEXT: Final = "card.md"
_REMEDY: Final = "Restore the folder from the repository or fit it again with `landslide train`."


@dataclass(frozen=True)
class Bundle:
    """A fitted two-stage model and its card."""

    name: str
    path: Path
    sha256: str  # of the manifest, which holds the hash of every other file
    prefilter: Prefilter
    members: tuple[Member, ...]
    options: NetworkOptions
    card: Mapping[str, Any]

    def to(self, device: torch.device) -> "Bundle":
        """Move the members' networks to a device, in place; the filter stays on the CPU."""
        for member in self.members:
            member.network.to(device)
        return self


def save_bundle(
    path: Path,
    prefilter: Prefilter,
    members: tuple[Member, ...],
    options: NetworkOptions,
    card: Mapping[str, Any],
    card_text: str,
) -> Path:
    """Write a bundle folder; the manifest comes last, so a half-written one never loads."""
    path.mkdir(parents=True, exist_ok=True)
    (path / _MANIFEST).unlink(missing_ok=True)
    prefilter.booster.save_model(path / _FILTER)
    files = [_FILTER, _CARD, CARD_TEXT]
    for i, member in enumerate(members):
        name = f"member_{i:02d}.safetensors"
        weights = {key: value.contiguous() for key, value in member.network.state_dict().items()}
        safetensors.torch.save_file(weights, path / name)
        files.append(name)
    (path / _CARD).write_text(json.dumps(card, indent=1, sort_keys=True) + "\n")
    (path / CARD_TEXT).write_text(card_text)
    manifest = {
        "format": FORMAT,
        "bands": list(BAND_NAMES),
        "normalisation": [[band.mean, band.std] for band in BANDS],
        "filter": {
            "features": list(prefilter.features),
            "thresholds": dict(prefilter.thresholds),
        },
        "network": asdict(options),
        "member_thresholds": [member.threshold for member in members],
        "sha256": {name: _sha256(path / name) for name in files},
    }
    (path / _MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")
    return path


def load_bundle(path: Path) -> Bundle:
    """Read a bundle and verify its hashes; networks come back on the CPU, evaluation mode.

    Raises BundleNotFound, BundleCorrupt, BundleIncompatible.
    """
    manifest_file = path / _MANIFEST
    if not manifest_file.is_file():
        raise BundleNotFound(
            f"There is no model bundle at {path} (no {_MANIFEST}); a folder made by "
            "`landslide train` is needed. Check --bundle."
        )
    try:
        manifest = json.loads(manifest_file.read_text())
        found, hashes = manifest["format"], dict(manifest["sha256"])
    except (ValueError, KeyError, TypeError) as error:
        raise BundleCorrupt(
            f"{manifest_file} does not read as a manifest ({error}). {_REMEDY}"
        ) from error
    if found != FORMAT or manifest.get("bands") != list(BAND_NAMES):
        raise BundleIncompatible(
            f"The bundle at {path} has format {found} with bands {manifest.get('bands')}; format "
            f"{FORMAT} with {list(BAND_NAMES)} is needed. Fit it again with this version."
        )
    if manifest.get("normalisation") != [[band.mean, band.std] for band in BANDS]:
        raise BundleIncompatible(
            f"The bundle at {path} was fitted with another normalisation than this version's. "
            "Fit it again with this version."
        )
    _verify(path, hashes)
    try:
        return _assemble(path, manifest)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        first = (str(error) or type(error).__name__).splitlines()[0]
        raise BundleIncompatible(
            f"The bundle at {path} does not fit this version's network or filter ({first}). "
            "Fit it again with this version."
        ) from error


def _verify(path: Path, hashes: Mapping[str, str]) -> None:
    for name, wanted in hashes.items():
        if not (path / name).is_file():
            raise BundleCorrupt(f"The bundle at {path} lacks {name}. {_REMEDY}")
        found = _sha256(path / name)
        if found != wanted:
            raise BundleCorrupt(
                f"{path / name} has sha256 {found[:12]}…, its manifest says {wanted[:12]}…. "
                f"{_REMEDY}"
            )


def _assemble(path: Path, manifest: Mapping[str, Any]) -> Bundle:
    unknown = set(manifest["filter"]["features"]) - set(filter_feature_names())
    if unknown:
        raise ValueError(f"unknown filter features {sorted(unknown)}")
    booster = xgboost.Booster()
    booster.load_model(path / _FILTER)
    prefilter = Prefilter(
        booster, tuple(manifest["filter"]["features"]), manifest["filter"]["thresholds"]
    )
    widths = manifest["network"]
    options = NetworkOptions(**{**widths, "trunk": tuple(widths["trunk"])})
    members = []
    if not manifest["member_thresholds"]:
        raise ValueError("it has no members")
    for i, threshold in enumerate(manifest["member_thresholds"]):
        network = LandslideFPN(options)
        network.load_state_dict(safetensors.torch.load_file(path / f"member_{i:02d}.safetensors"))
        members.append(Member(network.eval(), float(threshold)))
    return Bundle(
        name=path.resolve().name,
        path=path,
        sha256=_sha256(path / _MANIFEST),
        prefilter=prefilter,
        members=tuple(members),
        options=options,
        card=json.loads((path / _CARD).read_text()),
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

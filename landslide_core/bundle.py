"""A bundle folder <-> memory: everything fitted, with a hash of every file; no pickles.

This and `manifest.py` are the only modules that know the file names inside `models/<name>/`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import safetensors.torch
import torch
import xgboost
from safetensors import SafetensorError
from torch import nn

from landslide_core.bands import BAND_NAMES, BANDS
from landslide_core.calibration import Calibration
from landslide_core.combinations import COMPLETE
from landslide_core.ensemble import Member
from landslide_core.errors import BundleCorrupt, BundleIncompatible
from landslide_core.features import filter_feature_names
from landslide_core.hashes import sha256_of
from landslide_core.learnt import Learnt
from landslide_core.manifest import CARD, MANIFEST, QUANTILES, REMEDY, identity, manifest_of, verify
from landslide_core.network import LandslideFPN, NetworkOptions
from landslide_core.prefilter import Prefilter
from landslide_core.voices import Voices, VoiceShape

FORMAT: Final = 3
_TREES: Final = "prefilter.json"
_VOICES: Final = "prefilter.safetensors"
_LEARNT: Final = "features.json"  # bundles of earlier versions have none


@dataclass(frozen=True)
class Bundle:
    """A fitted two-stage model and its card."""

    name: str
    path: Path
    sha256: str  # of all that was fitted; the card, with its energy figures, is not part of it
    prefilter: Prefilter
    members: tuple[Member, ...]
    options: NetworkOptions
    calibration: Mapping[str, Calibration]  # by input combination
    quantiles: Mapping[str, Sequence[float]]  # of each band over the training tiles, QUANTILES
    card: Mapping[str, Any]
    learnt: Learnt | None = None  # the training's filter features; not part of the identity

    def calibration_of(self, combination: str) -> Calibration:
        """A combination's calibration; that of complete inputs where it has none of its own."""
        return self.calibration.get(combination, self.calibration[COMPLETE])

    def to(self, device: torch.device) -> "Bundle":
        """Move the members' networks to a device, in place; the filter stays on the CPU."""
        for member in self.members:
            member.network.to(device)
        return self


def save_bundle(bundle: Bundle, files: Mapping[str, bytes]) -> Path:
    """Write a bundle to its path, with the card's text and figures as further files.

    The manifest comes last, so a half-written bundle never loads.
    """
    path = bundle.path
    path.mkdir(parents=True, exist_ok=True)
    (path / MANIFEST).unlink(missing_ok=True)
    bundle.prefilter.booster.save_model(path / _TREES)
    voices = bundle.prefilter.voices
    (path / _VOICES).write_bytes(_weights(voices))
    (path / CARD).write_text(json.dumps(bundle.card, indent=1, sort_keys=True) + "\n")
    for i, member in enumerate(bundle.members):
        (path / _member_name(i)).write_bytes(_weights(member.network))
    if bundle.learnt is not None:
        files = {**files, _LEARNT: json.dumps(bundle.learnt.written(), sort_keys=True).encode()}
    for name, content in files.items():
        (path / name).write_bytes(content)
    fitted = [_TREES, _VOICES, *(_member_name(i) for i in range(len(bundle.members)))]
    manifest = {
        "format": FORMAT,
        "bands": list(BAND_NAMES),
        "normalisation": [[band.mean, band.std] for band in BANDS],
        "filter": {
            "features": list(bundle.prefilter.features),
            "thresholds": dict(bundle.prefilter.thresholds),
            "voices": asdict(voices.shape),
        },
        "network": asdict(bundle.options),
        "member_thresholds": [member.threshold for member in bundle.members],
        "calibration": {name: asdict(found) for name, found in bundle.calibration.items()},
        "quantiles": {"shares": QUANTILES, "bands": dict(bundle.quantiles)},
        "sha256": {name: sha256_of(path / name) for name in fitted},
        "described": {name: sha256_of(path / name) for name in (CARD, *files)},
    }
    (path / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")
    return path


def _weights(network: nn.Module) -> bytes:
    """A network's weights as safetensors, in single precision."""
    weights = {
        key: (value.float() if value.is_floating_point() else value).contiguous()
        for key, value in network.state_dict().items()
    }
    return safetensors.torch.save(weights)


def _member_name(index: int) -> str:
    return f"member_{index:02d}.safetensors"


def load_bundle(path: Path) -> Bundle:
    """Read a bundle and verify its hashes; networks come back on the CPU, evaluation mode.

    Raises BundleNotFound, BundleCorrupt, BundleIncompatible.
    """
    content, manifest_file = manifest_of(path), path / MANIFEST
    try:
        manifest = json.loads(content)
        found = manifest["format"]
        hashes = {**manifest["sha256"], **manifest.get("described", {})}
    except (ValueError, KeyError, TypeError) as error:
        raise BundleCorrupt(
            f"{manifest_file} does not read as a manifest ({error}). {REMEDY}"
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
    verify(path, hashes)
    try:
        return _assemble(path, manifest)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        first = (str(error) or type(error).__name__).splitlines()[0]
        raise BundleIncompatible(
            f"The bundle at {path} does not fit this version's network or filter ({first}). "
            "Fit it again with this version."
        ) from error


def _assemble(path: Path, manifest: Mapping[str, Any]) -> Bundle:
    prefilter = _assemble_filter(path, manifest["filter"])
    widths = manifest["network"]
    options = NetworkOptions(**{**widths, "trunk": tuple(widths["trunk"])})
    members = []
    if COMPLETE not in manifest["calibration"]:
        raise ValueError("it has no calibration")
    if not manifest["member_thresholds"]:
        raise ValueError("it has no members")
    for i, threshold in enumerate(manifest["member_thresholds"]):
        network = LandslideFPN(options)
        network.load_state_dict(safetensors.torch.load_file(path / _member_name(i)))
        members.append(Member(network.eval(), float(threshold)))
    return Bundle(
        name=path.resolve().name,
        path=path,
        sha256=identity(manifest),
        prefilter=prefilter,
        members=tuple(members),
        options=options,
        calibration={name: Calibration(**found) for name, found in manifest["calibration"].items()},
        quantiles=manifest["quantiles"]["bands"],
        card=json.loads((path / CARD).read_text()),
        learnt=_read_learnt(path) if _LEARNT in manifest.get("described", {}) else None,
    )


def _read_learnt(path: Path) -> Learnt:
    return Learnt.read(json.loads((path / _LEARNT).read_text()))


def _assemble_filter(path: Path, described: Mapping[str, Any]) -> Prefilter:
    names = tuple(described["features"])
    if unknown := set(names) - set(filter_feature_names()):
        raise ValueError(f"unknown filter features {sorted(unknown)}")
    booster = xgboost.Booster()
    booster.load_model(path / _TREES)
    voices = Voices(len(names), VoiceShape(**described["voices"]))
    voices.load_state_dict(safetensors.torch.load_file(path / _VOICES))
    return Prefilter(booster, voices.double().eval(), names, described["thresholds"])

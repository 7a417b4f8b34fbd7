"""A bundle ready to vote, kept from one run to the next: a worker holds one model."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from landslide_core.backends import Backend, BackendOptions, make_backend
from landslide_core.bundle import Bundle, load_bundle
from landslide_core.ensemble import Ballot
from landslide_core.manifest import manifest_of
from landslide_core.rounds import Rounds, Stakes, vote


@dataclass(frozen=True)
class Panel:
    """A bundle, and its ensemble on a backend."""

    bundle: Bundle
    backend: Backend
    device: torch.device
    notes: list[str]  # what the backend had to say: of a GPU whose memory was full

    def ask(self, inputs: NDArray[np.float32], stakes: Stakes) -> Ballot:
        """Votes on tiles (N, 13, 64, 64), in rounds, until each one's verdict is settled."""
        return vote(self.backend, self.bundle.members, inputs, stakes, Rounds())


def panel_of(path: Path, backend: str, device: torch.device) -> Panel:
    """The panel of a bundle folder; the one made last stays while its manifest does.

    Raises BundleError, NoDevice.
    """
    return _panel(path, manifest_of(path), backend, str(device))


@lru_cache(maxsize=1)
def _panel(path: Path, manifest: bytes, backend: str, device: str) -> Panel:
    bundle, where, notes = load_bundle(path), torch.device(device), list[str]()
    made = make_backend(BackendOptions(backend), bundle.members, where, notes.append)
    return Panel(bundle, made, where, notes)

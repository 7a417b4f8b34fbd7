"""Which device networks compute on."""

from typing import TYPE_CHECKING

from landslide_core.errors import NoDevice

if TYPE_CHECKING:
    import torch


def resolve_device(name: str) -> "torch.device":
    """The torch device for "auto", "cpu" or "cuda"; auto takes CUDA where there is one."""
    import torch  # seconds, which not every command and page needs

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise NoDevice(
            "This machine has no cuda device that torch can use; one is needed for --device cuda. "
            "Choose --device cpu."
        )
    return torch.device(name)

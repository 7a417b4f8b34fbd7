"""Hashes of files: what a run was made from, and whether its bytes are still right."""

import hashlib
from pathlib import Path


def sha256_of(path: Path) -> str:
    """Hash of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

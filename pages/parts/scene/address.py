"""What was said of a scene's files, in the address: a reload finds it, other files do not."""

from collections.abc import Mapping
from typing import Final

from pages.parts import state

WHAT: Final = ("roles", "reading")
_MARK: Final = 8  # letters of the files' key that the address has


def said_of(what: str, files: str) -> dict[str, str]:
    """What was said of files, by their key, in this session; else what the address says.

    Whatever somebody wrote there: neither names nor values are checked.
    """
    said: dict[str, str] = state.kept(f"{what} {files}", _parsed(state.asked(what), files))
    return said


def say_of(what: str, files: str, said: Mapping[str, str]) -> None:
    """Remember what was said of files, here and in the address: `roles=1a2b3c4d,0:dem,2:out`."""
    state.keep(f"{what} {files}", dict(said))
    pairs = [f"{name}:{value}" for name, value in said.items()]
    state.show_in_address(what, ",".join([files[:_MARK], *pairs]) if pairs else "")


def forget() -> None:
    """Without files nothing is said of any."""
    for what in WHAT:
        state.show_in_address(what, "")


def _parsed(text: str, files: str) -> dict[str, str]:
    mark, *pairs = text.split(",")
    if mark != files[:_MARK]:
        return {}
    return {name: value for name, found, value in (pair.partition(":") for pair in pairs) if found}

"""What the engine says, in the page's words: fields for options, file names for paths."""

import re
from collections.abc import Mapping
from typing import Final

from pages.parts import state

# Options of the command in the engine's messages, as the page calls them; whole phrases first.
FIELDS: Final = {
    "Name one with --s2, --s1-desc-post or another --s1 option": "Give one a role",
    "Give it with one of the --s1 options": "Give it a role of Sentinel-1",
    "with --dem": "as elevation model",
    "--dem": "an elevation model",
    "--s2-bands": "“Sentinel-2 band names”",
    "--s2-offset": "“Sentinel-2 offset”",
    "--speckle": "“Speckle filter”",
    "--device cuda": "“Graphics card”",
    "--device cpu": "“Processor”",
    "--bundle": "the model bundle",
    "--cloud-dilation": "“Cloud reaches farther by”",
}


def in_page_words(said: object, fields: Mapping[str, str] = FIELDS) -> str:
    """A message of the engine for people who see a page, not a command or the server's disk."""
    text = str(said)
    for option, field in fields.items():
        text = text.replace(option, field)
    return _without_folders(text)


def _without_folders(text: str) -> str:
    """The text with names in place of paths: where the server keeps files is nobody's business."""
    uploads = state.runs_folder() / ".uploads"
    for folder in dict.fromkeys((uploads, uploads.absolute(), uploads.resolve())):
        # SESSION/UPLOAD/NAME, or SCENE/NAME where a catalogue's were loaded.
        text = re.sub(rf"{re.escape(str(folder))}/(?:[0-9a-f]{{32}}/)?[^/\s]+/", "", text)
    return text.replace(f"{state.data_folder().absolute()}/", "")

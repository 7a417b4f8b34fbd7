"""The table of a scene's files: what each was recognised as, and the role to correct."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from itertools import takewhile
from pathlib import Path
from typing import Any, Final

import pandas as pd
import streamlit as st

from landslide_core.readers.given import ROLE_WORDS, ROLES
from landslide_core.readers.recognise import Recognised
from landslide_core.readers.roles import CHOICES, LEFT_OUT, UNKNOWN, Proposal, propose
from pages.parts import state, wording
from pages.parts.page_words import in_page_words
from pages.parts.scene import address, cached_scene, remarks
from pages.parts.scene.sources import Files, key_of

WORDS: Final = {**ROLE_WORDS, LEFT_OUT: "Left out", UNKNOWN: "Choose …"}
SENSORS: Final = {
    "S1": "Sentinel-1",
    "S2": "Sentinel-2",
    "DEM": "Elevation",
    "vector": "Vector",
    "result": "Truth or result",
}
MOST_ROWS: Final = 12  # shown without scrolling
WIDEST: Final = 30  # letters of a file's name that the column shows


def look(files: Files) -> list[Recognised]:
    """What the files are."""
    with st.spinner("Looking at the files …", show_time=False):
        return [cached_scene.recognised(path, name) for name, path in files.paths.items()]


def draw(files: Files, found: Sequence[Recognised], event: date | None) -> dict[str, list[Path]]:
    """Draw the table; returns the files by role, as proposed and corrected."""
    proposals = _proposals(files, found, event)
    key = key_of(files)
    corrected = _corrections(key, len(found))
    names = fitted(short(list(files.paths)))
    with st.container():  # above a table that may be long, and one place however many there are
        remarks.draw(names, found, proposals, _roles(proposals, corrected), event)
    table = table_of(names, found, proposals, corrected)
    st.caption(
        "What each file is, by what says so. To change a role, click on it, then once more to "
        "open the list."
    )
    edited = st.data_editor(
        table,
        key=f"roles-{key}-{state.kept(f'undone {key}', 0)}",
        hide_index=True,
        num_rows="fixed",
        disabled=[name for name in table if name != "Role"],
        column_config=_columns(),
        height=38 + 35 * min(len(table), MOST_ROWS),
        row_height=35,
    )
    changes = changed(table, edited, proposals)
    if changes:
        now = {**corrected, **changes}
        address.say_of("roles", key, {str(i): role for i, role in now.items() if role})
        st.rerun()
    address.say_of("roles", key, {str(i): role for i, role in corrected.items()})
    _below(key, proposals, corrected)
    roles: dict[str, list[Path]] = {role: [] for role in ROLES}
    for path, role in zip(files.paths.values(), _roles(proposals, corrected), strict=True):
        if role in roles:
            roles[role].append(path)
    return roles


def table_of(
    names: Sequence[str],
    found: Sequence[Recognised],
    proposals: Sequence[Proposal],
    corrected: Mapping[int, str],
) -> pd.DataFrame:
    """The table's rows as text; columns in which there is nothing are left out."""
    roles = _roles(proposals, corrected)
    table = pd.DataFrame(
        {
            "File": names,
            "Role": [WORDS[role] for role in roles],
            "Date (UTC)": [_when(one) for one in found],
            "Pass": [wording.PASS_WORDS.get(one.orbit_pass or "", "") for one in found],
            "Why": [
                "chosen by you" if i in corrected else in_page_words(proposal.reason)
                for i, proposal in enumerate(proposals)
            ],
            "Sensor": [SENSORS.get(one.sensor or "", "?") for one in found],
            "Level": [one.level or "" for one in found],
            "Bands": [_few(one.bands) for one in found],
            "Orbit, tile": [_where(one) for one in found],
            "Where that comes from": [one.evidence for one in found],
        }
    )
    return table.loc[:, (table != "").any() | (table.columns == "Role")]


def short(names: Sequence[str]) -> list[str]:
    """Each name without the folders that are not needed to tell it from the others."""
    tails = [Path(name).name for name in names]
    for depth in (2, 3, 4):
        often = Counter(tails)
        tails = [
            "/".join(Path(name).parts[-depth:]) if often[tail] > 1 else tail
            for name, tail in zip(names, tails, strict=True)
        ]
    return tails


def fitted(names: Sequence[str]) -> list[str]:
    """Names that fit the column: of long ones the part that tells them apart.

    What long names have in common at their beginning is cut, then their middle, so long as they
    stay apart: products of one satellite differ by date and mark, bands of one by the end.
    """
    long = [name for name in names if len(name) > WIDEST]
    start = _beginning(long) if len(long) > 1 else ""
    start = start[: 1 + max(start.rfind(mark) for mark in "/_-. ")]
    cut = ["…" + name[len(start) :] if name in long and start else name for name in names]
    cut = [name if len(name) <= WIDEST else f"{name[:17]}…{name[18 - WIDEST :]}" for name in cut]
    often = Counter(cut)
    return [name if often[name] == 1 else whole for name, whole in zip(cut, names, strict=True)]


def _beginning(names: Sequence[str]) -> str:
    """What all names begin with."""
    first, last = min(names), max(names)
    same = takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    return "".join(letter for letter, _ in same)


def changed(
    shown: pd.DataFrame, edited: pd.DataFrame, proposals: Sequence[Proposal]
) -> dict[int, str | None]:
    """Roles that were chosen just now, by row; None for one put back to what was proposed."""
    codes = {words: code for code, words in WORDS.items()}
    chosen = {
        i: codes[now]
        for i, (was, now) in enumerate(zip(shown["Role"], edited["Role"], strict=True))
        if now != was and now in codes
    }
    return {i: None if role == proposals[i].role else role for i, role in chosen.items()}


def _corrections(key: str, count: int) -> dict[int, str]:
    """Roles chosen by hand, by row of `count`."""
    rows = {str(row): row for row in range(count)}
    said = address.said_of("roles", key)
    return {rows[row]: role for row, role in said.items() if row in rows and role in CHOICES}


def _proposals(files: Files, found: Sequence[Recognised], event: date | None) -> list[Proposal]:
    """Roles that are known, else proposed."""
    known = [files.roles.get(path) for path in files.paths.values()]
    return [
        Proposal(role, "loaded for this role") if role else proposal
        for role, proposal in zip(known, propose(found, event), strict=True)
    ]


def _roles(proposals: Sequence[Proposal], corrected: Mapping[int, str]) -> list[str]:
    return [corrected.get(i, proposal.role) for i, proposal in enumerate(proposals)]


def _below(key: str, proposals: Sequence[Proposal], corrected: Mapping[int, str]) -> None:
    """What is still to choose, and the way back from what was."""
    roles = _roles(proposals, corrected)
    unknown, out = roles.count(UNKNOWN), roles.count(LEFT_OUT)
    said = [f"{len(roles) - unknown - out} of {len(roles)} files have a role"]
    said += [f"{out} left out"] if out else []
    said += [f"{len(corrected)} corrected by you"] if corrected else []
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"{', '.join(said)}.")
        if corrected and st.button("Undo corrections", icon=":material/undo:", type="tertiary"):
            address.say_of("roles", key, {})
            state.keep(f"undone {key}", state.kept(f"undone {key}", 0) + 1)
            st.rerun()


def _columns() -> dict[str, Any]:
    return {
        "File": st.column_config.TextColumn(width=230, pinned=True),
        "Role": st.column_config.SelectboxColumn(
            "Role", options=[WORDS[role] for role in CHOICES], required=True, width=205
        ),
        "Date (UTC)": st.column_config.TextColumn(width=130),
        "Pass": st.column_config.TextColumn(width=100),
        "Why": st.column_config.TextColumn(width=330),
        "Where that comes from": st.column_config.TextColumn(width="medium"),
    }


def _when(one: Recognised) -> str:
    return f"{one.time:%Y-%m-%d %H:%M}" if one.time else str(one.day or "")


def _few(bands: Sequence[str]) -> str:
    return ", ".join(bands) if len(bands) < 5 else f"{len(bands)} bands"


def _where(one: Recognised) -> str:
    return ", ".join(filter(None, (str(one.orbit) if one.orbit else "", one.tile)))

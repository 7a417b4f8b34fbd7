"""The table of a scene's files: what each was recognised as, and the role to correct."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final

import pandas as pd
import streamlit as st

from landslide_core.readers.given import ROLE_WORDS, ROLES
from landslide_core.readers.recognise import Recognised
from landslide_core.readers.roles import CHOICES, LEFT_OUT, UNKNOWN, Proposal, propose
from pages.parts import state, theme, wording
from pages.parts.scene import cached_scene
from pages.parts.scene.sources import Files

WORDS: Final = {**ROLE_WORDS, LEFT_OUT: "Left out", UNKNOWN: "Choose …"}
SENSORS: Final = {
    "S1": "Sentinel-1",
    "S2": "Sentinel-2",
    "DEM": "Elevation",
    "vector": "Vector",
    "result": "Truth or result",
}
MOST_ROWS: Final = 12  # shown without scrolling


def look(files: Files) -> list[Recognised]:
    """What the files are."""
    with st.spinner("Looking at the files …", show_time=False):
        return [cached_scene.recognised(path, name) for name, path in files.paths.items()]


def draw(files: Files, found: Sequence[Recognised], event: date | None) -> dict[str, list[Path]]:
    """Draw the table; returns the files by role, as proposed and corrected."""
    proposals = _proposals(files, found, event)
    key = key_of(files)
    corrected, version = _corrections(key)
    table = table_of(list(files.paths), found, proposals, corrected)
    st.caption("What each file is, by what says so. A click on a role changes it.")
    edited = st.data_editor(
        table,
        key=f"roles-{key}-{version}",
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
        state.keep(f"roles {key}", ({i: role for i, role in now.items() if role}, version))
        st.rerun()
    _below(key, proposals, corrected)
    roles: dict[str, list[Path]] = {role: [] for role in ROLES}
    for path, role in zip(files.paths.values(), _roles(proposals, corrected), strict=True):
        if role in roles:
            roles[role].append(path)
    return roles


def key_of(files: Files) -> str:
    """The same for the same files: what is corrected stays while they do."""
    paths = "\n".join(map(str, files.paths.values()))
    return hashlib.sha256(paths.encode()).hexdigest()[:16]


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
            "File": short(names),
            "Role": [WORDS[role] for role in roles],
            "Why": [
                "chosen by you" if i in corrected else proposal.reason
                for i, proposal in enumerate(proposals)
            ],
            "Date (UTC)": [_when(one) for one in found],
            "Sensor": [SENSORS.get(one.sensor or "", "?") for one in found],
            "Level": [one.level or "" for one in found],
            "Pass": [wording.PASS_WORDS.get(one.orbit_pass or "", "") for one in found],
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


def _corrections(key: str) -> tuple[dict[int, str], int]:
    """Roles chosen by hand, by row, and how often all of them were undone."""
    found: tuple[dict[int, str], int] = state.kept(f"roles {key}", ({}, 0))
    return found


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
    if unknown:
        theme.warning(
            f"Of {unknown} file{'s' if unknown > 1 else ''} nobody says the role, and they are "
            "not read. Choose it in the column Role, or give the day of the event."
        )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"{', '.join(said)}.")
        if corrected and st.button("Undo corrections", icon=":material/undo:", type="tertiary"):
            state.keep(f"roles {key}", ({}, _corrections(key)[1] + 1))
            st.rerun()


def _columns() -> dict[str, Any]:
    return {
        "File": st.column_config.TextColumn(width=150, pinned=True),
        "Role": st.column_config.SelectboxColumn(
            "Role", options=[WORDS[role] for role in CHOICES], required=True, width=205
        ),
        "Why": st.column_config.TextColumn(width=160),
        "Where that comes from": st.column_config.TextColumn(width="large"),
    }


def _when(one: Recognised) -> str:
    return f"{one.time:%Y-%m-%d %H:%M}" if one.time else str(one.day or "")


def _few(bands: Sequence[str]) -> str:
    return ", ".join(bands) if len(bands) < 5 else f"{len(bands)} bands"


def _where(one: Recognised) -> str:
    return ", ".join(filter(None, (str(one.orbit) if one.orbit else "", one.tile)))

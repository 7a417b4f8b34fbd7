"""What the files brought in do not allow, said aloud: refused ones, unknown roles, far days."""

from collections.abc import Sequence
from datetime import date
from typing import Final

import streamlit as st

from landslide_core.readers.recognise import Recognised
from landslide_core.readers.roles import LEFT_OUT, UNKNOWN, Proposal
from pages.parts import theme, wording
from pages.parts.page_words import in_page_words

FAR: Final = 366  # days between an image and the event, from which on one of them is a mistake
MOST_NAMED: Final = 3  # files in a sentence
MOST_TOLD: Final = 8  # refused files with their reasons


def refusal(one: Recognised) -> str:
    """Why a file can't be used whatever its role, in one line; "" where it can."""
    if one.problem:
        return in_page_words(one.problem)
    if one.sensor == "S1" and one.level == "SLC":
        return (
            f"{one.path.name} is in slant range (SLC); ground range (GRD) or terrain-corrected "
            "backscatter (RTC) is needed. Choose such a product."
        )
    if one.sensor == "S1" and one.bands and not {*one.bands} & {"VV", "VH"}:
        return (
            f"{one.path.name} holds {', '.join(one.bands)}; VV and VH are needed. Choose a "
            "product with these polarisations."
        )
    return ""


def refused(names: Sequence[str], found: Sequence[Recognised], roles: Sequence[str]) -> list[str]:
    """A line for each file that is left out because it can't be used."""
    said = []
    for name, one, role in zip(names, found, roles, strict=True):
        if role == LEFT_OUT and (why := refusal(one)):
            said.append(why if one.path.stem in why else f"{name}: {why}")
    return said


def unclear(names: Sequence[str], proposals: Sequence[Proposal], roles: Sequence[str]) -> list[str]:
    """A line for each reason why files have no role, with their names."""
    by_reason: dict[str, list[str]] = {}
    for name, proposal, role in zip(names, proposals, roles, strict=True):
        if role == UNKNOWN:
            why = proposal.reason if proposal.role == UNKNOWN else "put back to none by you"
            by_reason.setdefault(why, []).append(name)
    return [_without_role(which, why) for why, which in by_reason.items()]


def _without_role(names: Sequence[str], why: str) -> str:
    has, are = ("has", "it is") if len(names) == 1 else ("have", "they are")
    choose = "Or choose" if "ive the day" in why else "Choose"
    return (
        f"{_listed(names)} {has} no role: {why}. {choose} it in the column Role; until then "
        f"{are} not read."
    )


def far(names: Sequence[str], found: Sequence[Recognised], event: date | None) -> str:
    """The warning where images lie implausibly far from the day of the event; "" without."""
    if event is None:
        return ""
    away = [
        f"{name} ({one.day})"
        for name, one in zip(names, found, strict=True)
        if one.day and not one.problem and abs((one.day - event).days) > FAR
    ]
    if not away:
        return ""
    return (
        f"More than a year from the event ({event}): {_listed(away)}; images of the weeks before "
        "and after it are needed. Correct the day of the event, or bring in other images."
    )


def draw(
    names: Sequence[str],
    found: Sequence[Recognised],
    proposals: Sequence[Proposal],
    roles: Sequence[str],
    event: date | None,
) -> None:
    """Draw all of it: errors first."""
    if told := refused(names, found, roles):
        lines = [wording.escaped(line) for line in told[:MOST_TOLD]]
        if len(told) > MOST_TOLD:
            lines.append(f"{len(told) - MOST_TOLD} more cannot be used: the column Why tells.")
        st.error("\n".join(f"- {line}" for line in lines) if len(lines) > 1 else lines[0])
    for line in filter(None, (*unclear(names, proposals, roles), far(names, found, event))):
        theme.warning(line)


def _listed(names: Sequence[str]) -> str:
    """ "a.tif, b.tif and 3 more"."""
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")

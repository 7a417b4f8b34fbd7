"""What a reviewer can say of a tile: buttons, their keys, and the line that tells what was kept."""

from dataclasses import dataclass
from typing import Final

import streamlit as st

from landslide_core.errors import BadReview, LandslideError
from landslide_core.folder import Run
from landslide_core.review.fold import to_redo, to_undo
from landslide_core.review.journal import LABELLING, Event
from landslide_core.review.review import Review
from pages.parts import cached, scripts, state, theme, wording
from pages.parts.review import ordering

# Action -> word, key, icon.
BUTTONS: Final = {
    "accept": ("Accept", "A", ":material/check:"),
    "reject": ("Reject", "R", ":material/swap_horiz:"),
    "landslide": ("Landslide", "1", None),
    "stable": ("Stable", "2", None),
    "unsure": ("Unsure", "3", None),
}
_PRESSED: Final = {  # the page's parts that a key presses; the number of the tile follows
    **{key.lower(): f"review-{name}-" for name, (_, key, _) in BUTTONS.items()},
    **{"u": "review-undo-", "y": "review-redo-", "n": "review-next-", "p": "review-previous-"},
    **{"k": "review-keep-", "d": "review-drop-"},
    **{"arrowright": "review-next-", "arrowleft": "review-previous-"},
}
KEYS: Final = {
    **{key: f'[class*="st-key-{part}"] button' for key, part in _PRESSED.items()},
    "c": '[class*="st-key-review-comment-"] textarea',
    "o": ".review-draw",
    "v": ".review-next-picture",
    "s": ".review-around",
}

_OPEN: Final = "Keep it with K, or drop it with D, to go on."


@dataclass(frozen=True)
class Place:
    """Where a reviewer is in the queue."""

    tile: int
    before: int | None  # the tile to go back to
    after: int | None  # the tile to go on to
    waiting: int | None  # the next one without a label
    drawing: bool  # whether an outline was drawn and not kept yet


def notice() -> None:
    """What the last action came to."""
    text, refused = state.notice()
    if refused:
        theme.problem(text)
    elif text:
        st.markdown(f":material/check_circle: {wording.escaped(text)}")
    else:
        st.caption("What you say is kept on disk at once.")


def labelling(run: Run, place: Place, verdict: str, comment: str | None) -> None:
    """The five answers, and the comment that goes with the next of them."""
    tile, nobody = place.tile, not state.reviewer()
    unclear = verdict not in ordering.SAYS
    seen = len(cached.review_events(run))
    judging_row, naming_row = (st.container(horizontal=True, gap="xsmall") for _ in range(2))
    for name, (word, key, icon) in BUTTONS.items():
        judging = name in LABELLING
        why = "Give your name first." if nobody else None
        if judging and unclear and not nobody:
            why = f"The verdict is {theme.VERDICT_WORDS[verdict].lower()}: there is nothing to "
            why += f"{name}. Say what the tile is."
        row = judging_row if judging else naming_row
        row.button(
            f"{word} `{key}`",
            key=f"review-{name}-{tile}",
            icon=icon,
            on_click=_say,
            args=(run, place, name, seen),
            disabled=nobody or (judging and unclear),
            help=why,
            type="primary" if name == "accept" else "secondary",
        )
    if unclear:
        st.caption(f"{theme.VERDICT_WORDS[verdict]}: nothing to accept or reject.")
    st.text_area(
        "Comment `C`",
        comment or "",
        key=_field(tile),
        height=80,
        max_chars=4000,
        disabled=nobody,
        placeholder="Goes with your next answer, or alone. Esc leaves the field.",
    )
    row = st.container(horizontal=True, gap="xsmall", vertical_alignment="center")
    row.button(
        "Keep comment",
        key=f"review-say-{tile}",
        on_click=_comment,
        args=(run, tile),
        disabled=nobody,
        icon=":material/comment:",
    )
    row.toggle("Stay on the tile", key="review-stay", help="By itself an answer goes on.")


def moving(run: Run, place: Place) -> None:
    """Back, on, undo and redo."""
    row, who = st.container(horizontal=True, gap="xsmall"), state.reviewer()
    for name, word, key, to in (
        ("previous", "Previous", "P", place.before),
        ("next", "Next", "N", place.after),
    ):
        row.button(
            f"{word} `{key}`",
            key=f"review-{name}-{place.tile}",
            on_click=_go,
            args=(place, to),
            disabled=to is None,
        )
    events = cached.review_events(run)
    for name, word, key in (("undo", "Undo", "U"), ("redo", "Redo", "Y")):
        row.button(
            f"{word} `{key}`",
            key=f"review-{name}-{place.tile}",
            on_click=_back,
            args=(run, name),
            disabled=not who or not _possible(events, who, name),
        )


def keys() -> None:
    """Listen to the keyboard, and take the name that this browser remembers."""
    forget = state.reviewer_forgotten()
    component = st.components.v2.component("review_keys", js=scripts.module("review_keys.js"))
    said = component(
        key="review-keys",
        data={"name": state.reviewer(), "forget": forget, "keys": KEYS},
        on_name_change=lambda: None,
        height=1,
    )
    if said.name and not state.reviewer() and not forget:
        state.keep_reviewer(str(said.name))
        st.rerun()


def _possible(events: tuple[Event, ...], who: str, name: str) -> bool:
    try:
        to_undo(events, who, None) if name == "undo" else to_redo(events, who)
    except BadReview:
        return False
    return True


def _field(tile: int) -> str:
    return f"review-comment-{tile}"


def _say(run: Run, place: Place, name: str, seen: int) -> None:
    """Keep an answer with what stands in the comment field, and go on."""
    tile, who = place.tile, state.reviewer()
    if left_behind(tile):
        return
    goes_on = not (place.drawing or place.waiting is None or state.is_on("review-stay"))
    try:
        review = Review.of(run)
        if goes_on and _answered(review, seen, tile, who):
            _go_on(place)
            return
        said = _new_comment(review, tile)
        if name in LABELLING:
            event = getattr(review, name)(tile, who, said)
        else:
            event = review.relabel(tile, who, name, said)
    except LandslideError as error:
        state.keep_notice(str(error), refused=True)
        return
    state.keep_notice(
        f"Tile {tile}: {event.value}, kept. Undo with U.{_meanwhile(review, seen, event)}"
    )
    if place.drawing:
        state.keep_notice(f"Tile {tile}: {event.value}, kept. {_OPEN}")
    elif goes_on:
        state.choose_tile(place.waiting)


def _answered(review: Review, seen: int, tile: int, who: str) -> bool:
    """Whether the reviewer's answer to a tile was kept since it was drawn on the page.

    Then the page was interrupted while it went on, by a key so quick that it is about a tile not
    seen yet.
    """
    return any(
        event.tile == tile and event.reviewer == who and event.action in LABELLING
        for event in review.events[seen:]
    )


def _go_on(place: Place) -> None:
    """Go on from a tile whose answer is kept already, and say that no second one was."""
    state.keep_notice(
        f"Tile {place.tile} has your answer already: the page was going on. Nothing more was kept "
        "of it. Press again.",
        refused=True,
    )
    state.choose_tile(place.waiting)


def left_behind(tile: int) -> bool:
    """Whether a button was pressed that was still there from another tile; says so."""
    shown = state.chosen_tile()
    if shown == tile:
        return False
    state.keep_notice(
        f"Nothing was kept of tile {tile}: the page was going on to tile {shown}. Press again.",
        refused=True,
    )
    return True


def _meanwhile(review: Review, seen: int, own: Event) -> str:
    """What others answered of the tile since it was drawn on the page."""
    answers = [
        event
        for event in review.events[seen:]
        if event.tile == own.tile and event.reviewer != own.reviewer and event.action in LABELLING
    ]
    if not answers:
        return ""
    last = answers[-1]
    return f" {last.reviewer} said {last.value} meanwhile; both are kept, the later one counts."


def _new_comment(review: Review, tile: int) -> str:
    """What stands in the comment field, "" where that was said before."""
    text = state.typed(_field(tile)).strip()
    return "" if text == (review.state()["comment"][tile] or "") else text


def _comment(run: Run, tile: int) -> None:
    """Keep the comment alone; an empty one takes the old one away."""
    if left_behind(tile):
        return
    try:
        text = state.typed(_field(tile)).strip()
        Review.of(run).comment(tile, state.reviewer(), text)
    except LandslideError as error:
        state.keep_notice(str(error), refused=True)
        return
    what = "comment kept" if text else "comment removed"
    state.keep_notice(f"Tile {tile}: {what}. Undo with U.")


def _go(place: Place, to: int) -> None:
    if place.drawing:
        state.keep_notice(f"The outline is not kept yet. {_OPEN}", refused=True)
        return
    state.keep_notice("")
    state.choose_tile(to)


def _back(run: Run, name: str) -> None:
    """Undo or redo, and show the tile it was about."""
    try:
        review = Review.of(run)
        event = review.undo(state.reviewer()) if name == "undo" else review.redo(state.reviewer())
    except LandslideError as error:
        state.keep_notice(str(error), refused=True)
        return
    label = review.state()["label"][event.tile] or "without a label"
    done = "taken back; redo with Y" if name == "undo" else "said again; undo with U"
    state.keep_notice(f"Tile {event.tile}: {done}. It is {label} now.")
    state.choose_tile(event.tile)

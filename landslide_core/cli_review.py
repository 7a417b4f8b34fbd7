"""Commands of the review: what to look at next, say what a tile is, take it back, export."""

import getpass
import json
from dataclasses import asdict
from enum import StrEnum
from math import isnan
from pathlib import Path
from typing import Annotated, Any

import typer

from landslide_core.errors import BadReview
from landslide_core.folder import open_run
from landslide_core.review.export import export_review
from landslide_core.review.journal import Event
from landslide_core.review.order import queue
from landslide_core.review.review import Review
from landslide_core.terminal import Json, app, progress_bars, say, show

review_app = typer.Typer(no_args_is_help=True, help="Review a run's tiles, export the review.")
app.add_typer(review_app, name="review")

Folder = Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.")]
Reviewer = Annotated[
    str | None, typer.Option("--reviewer", help="Your name; by itself the one you logged in with.")
]


class Answer(StrEnum):
    """What a reviewer says of a tile: of the machine's verdict, or what it is."""

    accept = "accept"
    reject = "reject"
    landslide = "landslide"
    stable = "stable"
    unsure = "unsure"


@review_app.command("list")
def list_command(
    run: Folder,
    limit: Annotated[int, typer.Option(min=1, help="Tiles at most.")] = 20,
    labelled: Annotated[
        bool, typer.Option("--labelled", help="Only tiles that have a label, instead of the queue.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Tiles by the use of looking at them: uncertain first, then by probability."""
    review = _opened(run)
    state = review.state()
    waiting = state["label"].isna()
    asked = [tile for tile in queue(review.run, state) if waiting[tile]]
    tiles = state.index[~waiting].tolist() if labelled else asked
    rows = [_row(tile, state.loc[tile]) for tile in tiles[:limit]]
    if as_json:
        told = {"tiles": rows, "labelled": int((~waiting).sum())}
        show(told, True)
        return
    for row in rows:
        said = f"{row['label'] or '-':9}  {row['reviewer'] or ''}  {row['comment'] or ''}".rstrip()
        typer.echo(
            f"{row['tile']:>6}  {row['verdict']:12}  {row['probability'] or 0:.3f}  "
            + " ".join(said.split("\n"))
        )
    say(f"Labelled: {int((~waiting).sum())} of {len(state)} tiles of {run}.")


@review_app.command("set")
def set_command(
    run: Folder,
    tile: Annotated[int, typer.Argument(min=0, help="Number of the tile (tile_id).")],
    answer: Annotated[Answer | None, typer.Argument(help="What you say of it.")] = None,
    outline: Annotated[
        Path | None, typer.Option(help="GeoJSON file with the outline, a polygon in EPSG:4326.")
    ] = None,
    no_outline: Annotated[bool, typer.Option("--no-outline", help="Remove the outline.")] = False,
    comment: Annotated[str | None, typer.Option(help="A comment.")] = None,
    reviewer: Reviewer = None,
    as_json: Json = False,
) -> None:
    """Say what a tile is, draw its outline, or comment on it; one of them at a time."""
    given = (answer is not None, outline is not None, no_outline)
    if sum(given) > 1 or not (any(given) or comment is not None):
        raise BadReview(
            f"{sum(given)} of an answer, --outline and --no-outline were given; one, or --comment "
            "alone, is needed. Call once for each."
        )
    who, said, review = _name(reviewer), comment or "", _opened(run)
    if answer is Answer.accept:
        event = review.accept(tile, who, said)
    elif answer is Answer.reject:
        event = review.reject(tile, who, said)
    elif answer is not None:
        event = review.relabel(tile, who, answer.value, said)
    elif outline is not None or no_outline:
        event = review.outline(tile, who, _drawn(outline) if outline else None, said)
    else:
        event = review.comment(tile, who, said)
    show(_told(event), as_json)


@review_app.command()
def undo(
    run: Folder,
    event: Annotated[
        str | None, typer.Option("--event", help="Its id; by itself your last one that stands.")
    ] = None,
    redo: Annotated[bool, typer.Option("--redo", help="Take your last undo back.")] = False,
    reviewer: Reviewer = None,
    as_json: Json = False,
) -> None:
    """Take back what was said; again for what was said before."""
    if redo and event is not None:
        raise BadReview("Both --redo and --event were given; one is needed. Leave one out.")
    who, review = _name(reviewer), _opened(run)
    made = review.redo(who) if redo else review.undo(who, event)
    label = review.state()["label"][made.tile]
    show({**_told(made), "label": label or "-"}, as_json)


@review_app.command()
def export(
    run: Folder,
    out: Annotated[Path, typer.Option(help="New folder.")],
    patches: Annotated[
        bool, typer.Option("--patches", help="Also patches and labels for `landslide prepare`.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write the tile table with the review, the outlines, and labels to train on."""
    with progress_bars() as progress:
        told = export_review(_opened(run), out, patches, progress)
    show({"export": str(out), **asdict(told)}, as_json)


def _opened(run: Path) -> Review:
    """A run's review; what mends itself is said once."""
    review = Review.of(open_run(run))
    for line in review.warnings:
        say(f"warning: {line}")
    return review


def _name(given: str | None) -> str:
    try:
        return given if given is not None else getpass.getuser()
    except (ImportError, KeyError, OSError) as error:  # a container's nameless user
        raise BadReview(
            "This user has no login name; a reviewer's name is needed. Add --reviewer."
        ) from error


def _drawn(path: Path) -> Any:
    """A GeoJSON geometry or feature, also as the one feature of a collection."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise BadReview(
            f"{path} does not read as GeoJSON ({error}); a polygon is needed. Check --outline."
        ) from error
    features = found.get("features") if isinstance(found, dict) else None
    return features[0] if isinstance(features, list) and len(features) == 1 else found


def _row(tile: int, row: Any) -> dict[str, Any]:
    fields = ("verdict", "label", "reviewer", "when", "comment")
    told = {"tile": tile, **{name: row[name] for name in fields}}
    probability = float(row["probability"])
    return told | {"probability": None if isnan(probability) else probability}


def _told(event: Event) -> dict[str, Any]:
    told = {"event": event.id, "tile": event.tile, "action": event.action}
    return told | ({"value": event.value} if isinstance(event.value, str) else {})

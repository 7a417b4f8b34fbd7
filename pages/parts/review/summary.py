"""What the review of a run amounts to, and taking it away: tables, outlines, labels to train on."""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pandas as pd
import streamlit as st

from landslide_core.errors import LandslideError
from landslide_core.folder import Run
from landslide_core.review.export import Exported, export_review
from landslide_core.review.review import Review
from pages.parts import cached, state, theme
from pages.parts.review import ordering

KINDS: Final = {
    False: ("Review: GeoPackage and CSV", "review", ":material/table_view:"),
    True: ("Training labels: patches and Train.csv", "labels", ":material/model_training:"),
}


@dataclass(frozen=True)
class Figures:
    """What the labels say so far; unsure ones and uncertain verdicts count for neither side."""

    labels: dict[str, int]  # landslide, stable, unsure
    outlines: int
    judged: int  # sure labels of tiles with a yes or no by the machine
    agreed: int  # of these, those that say the same
    alarms: int  # sure labels of tiles with an alarm
    right: int  # of these, those that are landslides

    @staticmethod
    def of(run: Run, said: pd.DataFrame) -> "Figures":
        """Figures of a run's review state."""
        sure = said["label"].isin(["landslide", "stable"])
        says = said["verdict"].map(ordering.SAYS)
        judged = sure & says.notna()
        alarm = sure & (said["verdict"] == "landslide")
        if "alarm" in run.tiles:  # a landslide on flat ground raises none
            alarm &= run.tiles["alarm"].to_numpy(bool)
        return Figures(
            {
                name: int((said["label"] == name).sum())
                for name in ("landslide", "stable", "unsure")
            },
            int(said["outline"].notna().sum()),
            int(judged.sum()),
            int((judged & (says == said["label"])).sum()),
            int(alarm.sum()),
            int((alarm & (said["label"] == "landslide")).sum()),
        )


@dataclass(frozen=True)
class Made:
    """A zip of a review, until its folder is forgotten."""

    folder: "TemporaryDirectory[str]"
    stamp: str  # the review it holds
    told: Exported

    @property
    def path(self) -> Path:
        """The zip."""
        return Path(self.folder.name) / "review.zip"


def show(run: Run, said: pd.DataFrame) -> None:
    """Figures and downloads."""
    st.header("The review so far", anchor=False)
    found = Figures.of(run, said)
    columns = st.columns(5)
    for column, (name, count) in zip(columns, found.labels.items(), strict=False):
        column.metric(f"Labelled {name}", f"{count:,}", border=True)
    columns[3].metric("As the machine says", _share(found.agreed, found.judged), border=True)
    columns[4].metric("Alarms that are right", _share(found.right, found.alarms), border=True)
    st.caption(
        "Of the tiles looked at only. The queue asks the doubtful ones first, so these shares are "
        "not the scene's. Unsure labels count for neither side; nor do uncertain verdicts."
    )
    for column, patches in zip(st.columns(2), KINDS, strict=True):
        with column, st.container(border=True):
            _download(run, patches, sum(found.labels.values()) + found.outlines)


def zipped(run: Run, patches: bool, stamp: str, bar: "st.delta_generator.DeltaGenerator") -> Made:
    """Export a review into a zip in a folder of its own. Raises LandslideError."""
    folder = TemporaryDirectory(prefix="landslide-review-")
    made = Path(folder.name) / "made"

    def tell(stage: str, done: int, total: int) -> None:
        bar.progress(done / total, f"{done:,} of {total:,} {stage}")

    told = export_review(Review.of(run), made, patches, tell)
    packed = Made(folder, stamp, told)
    with zipfile.ZipFile(packed.path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for path in sorted(made.rglob("*")):
            if path.is_file():
                file.write(path, path.relative_to(made))
    return packed


def _download(run: Run, patches: bool, anything: int) -> None:
    """The button that makes a zip, then the one that hands it over while it is of the last word."""
    title, word, icon = KINDS[patches]
    kept, stamp = state.exported(), cached.review_stamp(run.folder)
    st.markdown(f"**{title}**")
    st.caption(_use(patches))
    pressed = st.button(
        "Make the zip", key=f"review-make-{word}", icon=icon, disabled=not anything, width="stretch"
    )
    if pressed:
        kept.pop(word, None)
        bar = st.empty()
        try:
            with st.spinner("Writing …"):
                kept[word] = zipped(run, patches, stamp, bar)
        except LandslideError as error:
            theme.problem(error)
        bar.empty()
    found: Made | None = kept.get(word)
    if found is None or found.stamp != stamp or not found.path.is_file():
        return
    st.download_button(
        f"Download ({theme.megabytes(found.path.stat().st_size)})",
        found.path.read_bytes,
        file_name=f"{run.folder.name}-{word}.zip",
        mime="application/zip",
        on_click="ignore",
        icon=":material/download:",
        type="primary",
        width="stretch",
        key=f"review-take-{word}",
    )
    st.caption(_contents(found.told, patches))


def _use(patches: bool) -> str:
    if patches:
        return (
            "For `landslide train patches --labels Train.csv --out models/mine --work work`, "
            "in the unpacked folder."
        )
    return "All tiles with verdict, label, reviewer and comment, and the outlines that were drawn."


def _contents(told: Exported, patches: bool) -> str:
    if not patches:
        return f"{told.tiles:,} tiles, {told.labelled:,} labelled, {told.outlines:,} outlines."
    words = f"{told.patches:,} patches, {told.positives:,} of them landslides."
    if told.left_out_unsure:
        words += f" {told.left_out_unsure:,} unsure left out."
    if told.left_out_missing:
        words += f" {told.left_out_missing:,} with pixels missing left out."
    return words


def _share(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,}" if whole else "–"

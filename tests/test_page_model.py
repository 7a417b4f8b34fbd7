"""The Model card page: empty, loaded, of an older card, failing."""

import json
import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from paging import open_page, quiet, texts
from test_card import bare_card, full_card

from landslide_core.manifest import CARD_TEXT
from landslide_core.training.card import card_text
from pages.parts.model.sections import SECTIONS

TEXT = "Data and limits"


def written(folder: Path, card: dict[str, Any], figures: bool = False) -> None:
    """A bundle's folder with nothing but its card, whose hash no manifest holds."""
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{}")
    (folder / "card.json").write_text(json.dumps(card))
    (folder / CARD_TEXT).write_text(card_text(card))
    for name in re.findall(r"\]\((\S+svg)\)", card_text(card)) if figures else ():
        (folder / name).write_text('<svg xmlns="http://www.w3.org/2000/svg"></svg>')


@pytest.fixture
def models(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LANDSLIDE_MODELS", str(home / "models"))
    (home / "models").mkdir()
    return home / "models"


class TestEmpty:
    def test_no_model(self, models: Path) -> None:
        assert "landslide train" in texts(quiet(open_page("model_card")))

    def test_no_card(self, models: Path) -> None:
        (models / "mine").mkdir()
        said = texts(quiet(open_page("model_card")))
        assert f"`mine` has no card ({CARD_TEXT})" in said

    def test_text_alone_takes_turns_with_its_figures(self, models: Path) -> None:
        (models / "mine").mkdir()
        text = "# Model card: mine\n\nBefore.\n\n![There](one.svg)\n\nAfter.\n![Not](two.svg)\n"
        (models / "mine" / CARD_TEXT).write_text(text)
        (models / "mine" / "one.svg").write_text(
            '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"></svg>'
        )
        page = quiet(open_page("model_card"))
        assert [title.value for title in page.title] == ["Model card: mine"]
        inner = [m.value.strip() for m in page.markdown]
        assert [part for part in inner if part] == ["Before.", "After."]
        assert len(page.get("image")) == 1
        assert [c.value for c in page.caption[1:]] == ["The figure two.svg is missing: Not."]


class TestLoaded:
    def test_limits_come_before_figures(self, models: Path) -> None:
        written(models / "mine", full_card())
        page = quiet(open_page("model_card"))
        assert page.warning[0].value.startswith("**Nobody knows")
        assert "Promised: at most 2 %" in page.markdown[0].value
        assert page.dataframe[0].value["Measured on"].tolist()[0].startswith("Labelled rows")
        assert len(page.get("plotly_chart")) == 1

    @pytest.mark.parametrize(
        ("section", "figures", "heading"),
        [
            ("Folds", 1, None), ("Confusion", 2, "Plain yes or no"),
            ("Precision and recall", 2, "False alarms (ROC)"),
            ("Probability", 2, "Does 30 % mean 30 %?"), ("Filter", 1, None),
            ("Inputs", 2, "Beside gradient boosting alone"), ("Training and energy", 2, "Energy"),
        ],
    )  # fmt: skip
    def test_sections(self, models: Path, section: str, figures: int, heading: str | None) -> None:
        written(models / "mine", full_card())
        page = quiet(open_page("model_card", section=section))
        assert len(page.get("plotly_chart")) == figures
        assert heading is None or heading in [found.value for found in page.header]
        assert "This card has no" not in texts(page)

    def test_text(self, models: Path) -> None:
        written(models / "mine", full_card(), figures=True)
        page = quiet(open_page("model_card", section=TEXT))
        assert "exchangeable with the training" in page.markdown[2].value
        assert len(page.get("image")) == 12
        assert not [c for c in page.caption if "is missing" in c.value]

    def test_figures_of_another_source(self, models: Path) -> None:
        written(models / "mine", full_card())
        page = quiet(open_page("model_card", section="Confusion"))
        before = page.dataframe[1].value["Measured"].tolist()
        page.button_group[1].set_value("chips_out_of_fold").run()
        assert quiet(page).dataframe[1].value["Measured"].tolist() != before

    def test_one_of_several_and_all_side_by_side(self, models: Path) -> None:
        other = deepcopy(full_card())
        other["out_of_fold"]["pooled"]["f1"] = 0.123
        written(models / "default", full_card())
        written(models / "other", other)
        page = quiet(open_page("model_card"))
        assert page.dataframe[1].value["Model"].tolist() == ["default", "other"]
        page.selectbox[0].set_value("other").run()
        assert [title.value for title in quiet(page).title] == ["Model card: other"]
        assert page.dataframe[0].value["F1"][0] == 0.123
        page = quiet(open_page("model_card", model="other"))  # a link opens it again
        assert [title.value for title in page.title] == ["Model card: other"]


class TestOlder:
    """Cards of earlier versions, or of trainings that did not measure everything."""

    @pytest.mark.parametrize("section", [*SECTIONS, TEXT])
    def test_a_section_without_figures_says_so(self, models: Path, section: str) -> None:
        written(models / "mine", {"name": "mine"})
        page = quiet(open_page("model_card", section=section))
        assert ("This card has no" in texts(page)) == (section != TEXT)
        assert not page.get("plotly_chart")

    def test_a_quick_trainings_card(self, models: Path) -> None:
        written(models / "mine", bare_card())
        page = quiet(open_page("model_card"))
        assert "The figures hold for tiles like the 90 labelled ones" in page.warning[0].value
        assert len(page.get("plotly_chart")) == 1
        assert page.dataframe[1].value["Fold"].tolist() == ["1", "all rows"]

    def test_a_card_from_before_the_curves_keeps_the_rest(self, models: Path) -> None:
        card = full_card()
        del card["out_of_fold"]["thresholds"]
        written(models / "mine", card)
        page = quiet(open_page("model_card", section="Precision and recall"))
        assert "This card has no counts at other thresholds" in texts(page)
        page.button_group[0].set_value("Confusion").run()
        assert len(quiet(page).get("plotly_chart")) == 2


class TestFailing:
    def test_a_card_changed_by_hand_is_not_shown_as_measured(self, models: Path) -> None:
        written(models / "mine", full_card())
        described = {"described": {"card.json": "0" * 64}}
        (models / "mine" / "manifest.json").write_text(json.dumps(described))
        page = quiet(open_page("model_card"))
        assert "its manifest says" in page.error[0].value
        assert not page.get("plotly_chart")

    def test_a_card_cut_short(self, models: Path) -> None:
        written(models / "mine", full_card())
        (models / "mine" / "card.json").write_text('{"name": ')
        page = quiet(open_page("model_card"))
        assert "does not read" in page.error[0].value
        assert "Says for each tile" in texts(page)  # its text is still there to read

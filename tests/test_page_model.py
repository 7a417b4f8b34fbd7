"""The Model card page: empty, loaded and failing."""

from pathlib import Path

import pytest
from paging import open_page, quiet, texts

from landslide_core.bundle import CARD_TEXT


class TestModelCard:
    @pytest.fixture
    def models(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setenv("LANDSLIDE_MODELS", str(home / "models"))
        (home / "models").mkdir()
        return home / "models"

    def test_no_model(self, models: Path) -> None:
        assert "landslide train" in texts(quiet(open_page("model_card")))

    def test_no_card(self, models: Path) -> None:
        (models / "mine").mkdir()
        said = texts(quiet(open_page("model_card")))
        assert f"`mine` has no card ({CARD_TEXT})" in said

    def test_text_and_figures_take_turns(self, models: Path) -> None:
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

    def test_one_of_several(self, models: Path) -> None:
        for name in ("default", "other"):
            (models / name).mkdir()
            (models / name / CARD_TEXT).write_text(f"Of {name}.")
        page = quiet(open_page("model_card"))
        assert "Of default." in texts(page)
        page.selectbox[0].set_value(models / "other").run()
        assert "Of other." in texts(quiet(page))

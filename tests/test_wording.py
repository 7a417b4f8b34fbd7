"""Words and figures as pages write them."""

import pytest

from landslide_core.combinations import COMPLETE
from pages.parts import wording


def test_a_stranger_s_text_is_only_text() -> None:
    assert wording.literal("a`b\n# c") == "`a b # c`"
    assert wording.literal("` `") == "`?`"
    assert wording.escaped("a_b *c* [d](e)") == r"a\_b \*c\* \[d\]\(e\)"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (COMPLETE, "everything"),
        ("visible+nir", "optical only"),
        ("visible+desc_post", "visible, descending after"),
        ("asc_post+asc_pre", "ascending pass only"),
        ("partial", "some bands of a group missing"),
    ],
)
def test_combinations_in_words(name: str, words: str) -> None:
    assert wording.combination(name) == words


def test_small_figures_keep_their_meaning() -> None:
    assert [wording.number(v) for v in (0.876, 0.0059, 0.0001, 0.0, float("nan"))] == [
        "0.88",
        "0.0059",
        "under 0.0005",
        "0.00",
        "–",
    ]

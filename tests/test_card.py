"""The model card and its figures, from a card of made-up but whole figures."""

import json
import re
import subprocess
import sys
from copy import deepcopy
from xml.etree import ElementTree

import numpy as np
import pytest

from landslide_core.training.card import card_text
from landslide_core.training.card_tables import combination_title, nested_tables
from landslide_core.training.curves import threshold_counts
from landslide_core.training.figures import card_figures
from landslide_core.training.metrics import (
    confusion,
    filter_scores,
    reliability,
    risk_coverage,
    system_scores,
    verdict_table,
)

COMPLETE = "visible+nir+desc_post+desc_pre+asc_post+asc_pre"


def measured(count: int, seed: int) -> dict:
    """All figures of one source, of scores that part the classes fairly well."""
    rng = np.random.default_rng(seed)
    labels = (rng.random(count) < 0.25).astype(int)
    probability = 1 / (1 + np.exp(-rng.normal(np.where(labels, 2, -3), 1.5)))
    dropped, says = probability < 0.02, probability >= 0.4
    names = np.select(
        [dropped, probability < 0.15, probability < 0.6],
        ["filtered_out", "stable", "uncertain"],
        "landslide",
    )
    margin = risk_coverage(labels, says, -np.abs(probability - 0.4))
    return {
        "scores": system_scores(labels, probability, says, dropped),
        "filter": filter_scores(labels, probability, dropped),
        "confusion": confusion(labels, says),
        "reliability": reliability(labels, probability),
        "risk_coverage": {"margin": margin, "spread": risk_coverage(labels, says, probability)},
        "verdicts": verdict_table(labels, names),
        "thresholds": {
            "probability": threshold_counts(labels, probability, 200),
            "folds": [threshold_counts(labels[k::3], probability[k::3], 50) for k in range(3)],
            "filter": threshold_counts(labels, probability**2, 200),
        },
    }


def full_card() -> dict:
    """Every section the card knows."""
    rows, simulated, chips = measured(900, 0), measured(300, 1), measured(80, 2)
    folds = [measured(90, 10 + k)["scores"] for k in range(3)]
    fit = {"filter_weight": 0.61, "votes_weight": 0.52, "bias": -0.21}
    limits = {"threshold": 0.431, "lower": 0.057, "upper": 0.613}
    return {
        "name": "default",
        "members": 10,
        "plan": {"train": {"epochs": 35, "seed": 4}, "network": {"widths": [8, 16]}},
        "data": {
            "patches": {"rows": 5717, "positives": 1004, "pixels": "invented", "features": "table"},
            "simulated": {
                "train_scenes": 8, "train_tiles": 1762, "test_scenes": 4, "test_tiles": 300,
            },
            "chips": {"chips": 20, "tiles": 80, "positives": 41},
        },
        "out_of_fold": {
            **rows,
            "pooled": rows["scores"],
            "folds": folds,
            "boosting": {"pooled": measured(900, 5)["scores"], "folds": folds[::-1]},
            "combinations": {COMPLETE: rows["scores"], "visible": measured(900, 6)["scores"]},
        },
        "simulated_unseen": {**simulated, "localisation": {"iou": 0.4142, "centre": {"hit": 0.77}}},
        "chips_out_of_fold": chips,
        "reality": {
            **{"two_sample_auc": 0.9371, "made_to_real_auc": 0.979, "made_to_real_f1": 0.851},
            "errors": {"kurtosis": {"q95": 3.1e-4, "worst_layer": "red"}},
        },
        "curves": [
            [{"epoch": e, "loss": 1 / e, "inner_loss": 2 / e, "rate": 1e-3} for e in range(1, last)]
            for last in (8, 6)
        ],
        "calibration": {COMPLETE: fit | limits},
        "alpha": 0.02,
        "energy": {
            "kwh": 0.314, "kg_co2e": 0.105, "seconds": 9000, "cpu": "two cores",
            "country": "Norway", "method": "CodeCarbon, offline.",
        },
        "network": {"parameters": 140_123, "mmac": 17.34},
        "licence": "CC BY-SA 4.0. Zindi / ITU AI for Good.",
    }  # fmt: skip


def bare_card() -> dict:
    """What a quick training has: no table, no chips, no second opinion."""
    found = measured(90, 3)
    return {
        "name": "quick",
        "members": 2,
        "data": {"patches": {"rows": 90, "positives": 20, "pixels": "own", "features": "pixels"}},
        "out_of_fold": {"pooled": found["scores"], "folds": [found["scores"]]},
    }


@pytest.fixture(scope="module")
def pictures() -> dict[str, bytes]:
    """Every figure there is."""
    return card_figures(full_card())


def changed(card: dict, path: tuple) -> dict:
    """The card with one number another one."""
    other = deepcopy(card)
    inside = other
    for key in path[:-1]:
        inside = inside[key]
    value = inside[path[-1]]
    inside[path[-1]] = value + 7 if isinstance(value, int) else value / 3 + 0.02
    return other


def test_the_card_shows_the_figures_it_was_given():
    text = card_text(full_card())
    for said in (
        "5,717 rows", "1,004 with a landslide", "1,762 tiles of 8 simulated", "80 tiles of 20",
        "140,123 weights", "17.3 million", "0.314 kWh", "0.105 kg", "Norway", "2.5 hours",
        "two cores", "at most 2.0 %", "| IoU | 0.414 |", "by all features, AUC | 0.937 |",
        "| fitted on surrogate pixels, tested on real rows | 0.979 | 0.851 |", "0.00031",
        "| everything | 0.610 | 0.520 | -0.210 | 0.431 | 0.057 | 0.613 |", "widths 8/16",
        "CC BY-SA 4.0. Zindi / ITU AI for Good.",
    ):  # fmt: skip
        assert said in text, said
    assert not re.search(r"\bnan\b|None|\{|\}", text)


@pytest.mark.parametrize(
    "path",
    [
        ("members",), ("alpha",), ("data", "chips", "positives"),
        ("data", "simulated", "test_scenes"),
        ("out_of_fold", "pooled", "f1"), ("out_of_fold", "folds", 1, "auc"),
        ("out_of_fold", "filter", "recall"), ("out_of_fold", "confusion", 1, 0),
        ("out_of_fold", "boosting", "folds", 0, "f1"), ("out_of_fold", "boosting", "pooled", "auc"),
        ("out_of_fold", "combinations", "visible", "ece"), ("out_of_fold", "verdicts", "missed"),
        ("out_of_fold", "verdicts", "verdicts", "stable", "landslides"),
        ("out_of_fold", "risk_coverage", "spread", 4, "error"),
        ("out_of_fold", "thresholds", "filter", "hits", -1),
        ("simulated_unseen", "scores", "recall"), ("simulated_unseen", "verdicts", "false_alarm"),
        ("simulated_unseen", "localisation", "centre", "hit"),
        ("chips_out_of_fold", "scores", "f1"),
        ("reality", "two_sample_auc"), ("reality", "errors", "kurtosis", "q95"),
        ("calibration", COMPLETE, "upper"), ("energy", "kg_co2e"), ("network", "mmac"),
        ("plan", "train", "epochs"),
    ],
    ids=lambda path: ".".join(map(str, path)),
)  # fmt: skip
def test_a_changed_figure_changes_the_text(path):
    card = full_card()
    assert card_text(changed(card, path)) != card_text(card)


def test_each_source_has_a_heading_of_its_own_and_its_figures_below():
    sections = dict(
        part.split("\n", 1) for part in re.split(r"^## ", card_text(full_card()), flags=re.M)[1:]
    )
    card = full_card()
    for heading, scores in (
        ("Labelled rows, out of fold", card["out_of_fold"]["pooled"]),
        ("Simulated scenes of unseen seeds", card["simulated_unseen"]["scores"]),
        ("Landslide4Sense chips, out of fold", card["chips_out_of_fold"]["scores"]),
    ):
        assert f"{scores['brier']:.3f}" in sections[heading]
    assert "invented" in sections["Simulated scenes of unseen seeds"]
    assert "exchangeable" in sections["Limits"]
    assert "one** member" in sections["Limits"]


def test_boosting_alone_is_compared_fold_by_fold():
    card = full_card()
    folds = [{**card["out_of_fold"]["folds"][0], "f1": f1} for f1 in (0.80, 0.90, 0.85)]
    card["out_of_fold"]["folds"] = folds
    card["out_of_fold"]["boosting"]["folds"] = [{**f, "f1": f["f1"] - 0.02} for f in folds]
    row = next(line for line in card_text(card).splitlines() if "+0.020 ± 0.000" in line)
    assert row.startswith("| F1 | 0.850 ± 0.050 | 0.830 ± 0.050 |")


def test_the_error_rates_come_with_their_interval():
    labels = np.array([1] * 100 + [0] * 100)
    names = ["stable"] * 5 + ["landslide"] * 95 + ["stable"] * 100
    card = full_card()
    card["out_of_fold"]["verdicts"] = verdict_table(labels, names)
    text = card_text(card)
    # 5 of 100: Wilson 2.15 – 11.18 %; 0 of 100: 0 – 3.70 %.
    assert "`filtered_out` | 5.0 % | 2.2 % – 11.2 % | at most 2.0 % |" in text
    assert "stable tiles called `landslide` | 0.0 % | 0.0 % – 3.7 % | at most 2.0 % |" in text


def test_a_quick_training_has_a_card_without_what_it_has_not_measured():
    text = card_text(bare_card())
    for absent in ("chips", "simulated scenes", "conformal", "Energy", "boosting", ".svg", "Calib"):
        assert absent not in text, absent
    assert "90 labelled patches" in text
    assert "No real labelled" not in text  # somebody's own patches may well be real
    assert "## Limits" in text
    assert card_figures(bare_card()) == {}


def test_every_section_may_be_absent_alone():
    card = full_card()
    for name in card:
        if name != "name":
            card_text({key: value for key, value in card.items() if key != name})
    for name in set(card["out_of_fold"]) - {"pooled"}:
        kept = {key: value for key, value in card["out_of_fold"].items() if key != name}
        card_text({**card, "out_of_fold": kept} if name != "folds" else bare_card())


def test_tables_are_whole():
    lines = card_text(full_card()).splitlines()
    tables = [n for n, line in enumerate(lines) if line.startswith("|---")]
    assert len(tables) > 12
    for n in tables:
        assert lines[n - 2] == ""  # or Markdown takes the table for text
        width = lines[n].count("|")
        for line in lines[n - 1 :]:
            if not line.startswith("|"):
                break
            assert line.count("|") == width, line


def test_text_and_figures_can_be_made_again_from_the_file(pictures):
    again = json.loads(json.dumps(full_card(), sort_keys=True))
    assert card_text(again) == card_text(full_card())
    assert card_figures(again) == pictures


def test_the_text_shows_every_figure_there_is_and_no_other(pictures):
    def shown(card: dict) -> set[str]:
        return set(re.findall(r"\]\((\S+?)\)", card_text(card)))

    card = full_card()
    assert shown(card) == set(pictures)
    few = {**card, "curves": [], "simulated_unseen": {}, "chips_out_of_fold": {}}
    kept = {
        "reliability.svg", "risk_coverage.svg", "verdicts.svg", "combinations.svg",
        "thresholds.svg",
    }  # fmt: skip
    assert shown(few) == set(card_figures(few)) == kept


def test_figures_are_small_dateless_pictures_with_letters_and_a_ground(pictures):
    for name, picture in pictures.items():
        root = ElementTree.fromstring(picture)
        assert root.tag.endswith("svg"), name
        assert len(picture) < 60_000, name
        assert b"<text" in picture, name
        assert b"dc:date" not in picture, name
        assert b"Matplotlib v" not in picture, name
        assert b"fill: #fbfaf7" in picture, name
        assert root.get("width") == "450pt", name  # 600 px


def test_figures_show_the_numbers(pictures):
    card = full_card()
    scores = card["out_of_fold"]["combinations"]["visible"]
    assert f"{scores['f1']:.3f}".encode() in pictures["combinations.svg"]
    missed = card["out_of_fold"]["verdicts"]["missed"]
    assert f"{100 * missed:.1f} % called stable".encode() in pictures["verdicts.svg"]
    for name, path in (
        ("reliability.svg", ("out_of_fold", "reliability", 2, "high95")),
        ("risk_coverage_simulated.svg", ("simulated_unseen", "risk_coverage", "margin", 3, "f1")),
        ("training.svg", ("curves", 1, 2, "loss")),
    ):
        other = changed(card, path)
        part = {key: other[key] for key in other if key == path[0]}
        assert card_figures(part)[name] != pictures[name]
        assert card_figures({path[0]: card[path[0]]})[name] == pictures[name]


def test_scores_that_are_not_defined_leave_gaps_and_no_error():
    none = [{"coverage": 1.0, "f1": None, "error": 0.0}, {"coverage": 0.5, "f1": None, "error": 0}]
    nothing = measured(40, 0)["scores"] | {"auc": float("nan")}
    rows = {"risk_coverage": {"margin": none}, "combinations": {COMPLETE: nothing}}
    card = {"name": "odd", "out_of_fold": {**rows, "pooled": nothing, "folds": [nothing]}}
    assert set(card_figures(card)) == {"risk_coverage.svg", "combinations.svg"}
    assert "| 100 % | – / 0.0 % |" in card_text(card)


def test_figures_do_not_hang_on_a_users_settings(pictures):
    import matplotlib

    card = {"curves": full_card()["curves"]}
    with matplotlib.rc_context({"font.size": 20, "svg.fonttype": "path"}):
        assert card_figures(card)["training.svg"] == pictures["training.svg"]
        assert matplotlib.rcParams["font.size"] == 20


def test_matplotlib_is_imported_by_who_draws_only():
    code = (
        "import sys, landslide_core.training.card, landslide_core.training.figures;"
        "sys.exit('matplotlib' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_combinations_have_names_for_people():
    assert combination_title(COMPLETE) == "everything"
    assert combination_title("visible+nir") == "optical"
    assert (
        combination_title("visible+desc_post+desc_pre") == "optical without NIR + descending pass"
    )
    assert combination_title("desc_post+asc_post") == "both passes, no pre-event date"
    mixed = "ascending pass + descending pass, no pre-event date"
    assert combination_title("desc_post+asc_post+asc_pre") == mixed
    assert combination_title("partial") == "partial"


def test_nested_figures_of_one_kind_share_a_table():
    lines = nested_tables({"a": {"f1": 0.5, "auc": 1}, "b": {"auc": 2, "f1": None}, "loose": 3e-5})
    assert [line for line in lines if line and "---" not in line] == [
        "|  | figure |", "| loose | 3e-05 |",
        "|  | AUC | F1 |", "| a | 1 | 0.500 |", "| b | 2 | – |",
    ]  # fmt: skip

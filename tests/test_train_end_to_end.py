"""The commands a person runs: table to patches to bundle to scores; training, killed."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from conftest import balanced, raw_patches, table_of
from typer.testing import CliRunner

from landslide_core.bundle import load_bundle
from landslide_core.cli import application
from landslide_core.training.tuned import digest_of, tuning_rows

ROWS = 48
MEMBERS = 2
# What `landslide tune` would have written: everything small, and no row kept for tuning.
OPTIONS = {
    "format": 1,
    "network": {
        **{"stem": 4, "branch": 4, "trunk": [8, 8, 8], "pyramid": 8, "hidden": 8},
        **{"voices": 2, "voice": 16},
    },
    "train": {"crossed": 2, "negatives": 1.0},
    "filter": {
        **{"rounds": 20, "inner_folds": 2, "repeats": 1},
        **{"voices": 2, "voice": 16, "voice_epochs": 10, "voice_batch": 32, "voice_rate": 1e-2},
    },
    "tuning": {
        **{"study": "none", "trials": 1, "pruned": 0, "log_loss": 0.5, "share": 0.0, "rows": 0},
        **{"digest": digest_of([], tuning_rows([], 0.0)), "energy": None},
    },
}


def started(*words, **options):
    """`landslide train` as a process of its own, as it runs for hours and may be killed."""
    return subprocess.Popen(
        [sys.executable, "-m", "landslide_core", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        **options,
    )


def told(*words):
    """What training printed as JSON."""
    process = started(*words, "--json")
    out, err = process.communicate()
    assert process.returncode == 0, err
    return json.loads(out)


def run(*words):
    """A command in this process, which has imported what it needs: its standard output."""
    done = CliRunner().invoke(application(), [str(word) for word in words])
    assert done.exit_code == 0, (done.output, done.exception)
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A table of band statistics and the small options."""
    folder = tmp_path_factory.mktemp("whole")
    labels = balanced(ROWS)
    table_of(raw_patches(labels, side=16), labels).to_csv(folder / "table.csv", index=False)
    (folder / "options.json").write_text(json.dumps(OPTIONS))
    return folder


@pytest.fixture(scope="module")
def made(folder):
    """Surrogate patches of the table, and their labels."""
    run("surrogate", folder / "table.csv", "--out", folder / "made", "--workers", 1)
    return folder / "made"


def training(folder, made, name):
    """Words of `landslide train` on the surrogate patches, small; its work and bundle by name."""
    return (
        *("train", made, "--out", folder / name, "--work", folder / f"{name}-work"),
        *("--table", folder / "table.csv", "--options", folder / "options.json"),
        *("--members", MEMBERS, "--epochs", 1, "--voice-epochs", 4, "--scenes", 1),
        *("--device", "cpu"),
    )


@pytest.fixture(scope="module")
def trained(folder, made):
    """What `landslide train` told, and its bundle."""
    found = told(*training(folder, made, "straight"))
    return found, load_bundle(folder / "straight")


@pytest.fixture(scope="module")
def checkpoints(folder, trained):
    """The folder that holds the folds."""
    (first,) = (folder / "straight-work").glob("*/fold_00")
    return first.parent


def test_training_from_a_folder_of_patches_ends_in_a_bundle_with_a_card(folder, trained):
    found, bundle = trained
    assert found["sha256"] == bundle.sha256
    assert len(bundle.members) == MEMBERS
    assert bundle.options.trunk == (8, 8, 8)
    pooled = bundle.card["out_of_fold"]["pooled"]
    assert (pooled["n"], pooled["positives"]) == (ROWS, ROWS // 2)
    assert found["f1"] == pooled["f1"]
    assert {"chips_out_of_fold", "simulated_unseen", "reality", "energy"} <= set(bundle.card)
    assert bundle.card["data"]["patches"]["features"] == "table"
    assert bundle.card["data"]["simulated"]["test_scenes"] == 1  # as many as it was trained on
    for name in ("card.md", "card.json", "manifest.json", "prefilter.json"):
        assert (folder / "straight" / name).is_file()
    assert f"{pooled['f1']:.3f}" in (folder / "straight" / "card.md").read_text()


def test_evaluating_the_folds_gives_the_card_s_figures(folder, trained, checkpoints):
    prepared = folder / "straight-work" / "prepared"
    words = ("--folds", checkpoints, "--prepared", prepared, "--device", "cpu", "--json")
    found = json.loads(run("evaluate", *words))
    card = trained[1].card["out_of_fold"]
    for name, value in card["pooled"].items():
        assert found["two_stages"][name] == pytest.approx(value, abs=1e-6), name
    assert found["filter"] == pytest.approx(card["filter"], abs=1e-6)
    assert found["verdicts"] == card["verdicts"]
    f1 = [fold["f1"] for fold in card["folds"]]
    assert found["folds"]["f1_deviation"] == pytest.approx(np.std(f1, ddof=1), abs=1e-6)


def test_the_bundle_scores_and_answers_patches(folder, made, trained):
    bundle = ("--bundle", folder / "straight", "--device", "cpu", "--json")
    found = json.loads(run("evaluate", "--patches", made, "--labels", made / "labels.csv", *bundle))
    assert (found["n"], found["positives"]) == (ROWS, ROWS // 2)
    said = json.loads(run("predict", "--patches", made, "--out", folder / "answers.csv", *bundle))
    assert said["patches"] == ROWS
    answers = pd.read_csv(folder / "answers.csv")
    assert list(answers.columns[:2]) == ["ID", "label"]
    assert answers["ID"].tolist() == [f"ID_{i:03d}" for i in range(ROWS)]
    truth = pd.read_csv(made / "labels.csv").set_index("ID")["label"][answers["ID"]].to_numpy()
    right = (answers["label"].to_numpy() == 1) & (truth == 1)
    assert right.sum() / truth.sum() == pytest.approx(found["recall"])


def test_killed_in_the_second_fold_it_goes_on_to_the_same_bundle(folder, made, trained):
    """SIGKILL leaves no chance to tidy up; the finished fold is not fitted again."""
    words = training(folder, made, "killed")
    process = started(*words, start_new_session=True)
    for line in process.stderr:
        if line.startswith("fold 2 of 2: statistics fitted"):
            break
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    process.stdout.close()
    process.stderr.close()
    (work,) = (path.parent for path in (folder / "killed-work").glob("*/fold_00"))
    done = {path.parent.name: path.stat().st_mtime_ns for path in work.glob("*/manifest.json")}
    assert set(done) == {"fold_00"}
    assert not (folder / "killed").exists()
    time.sleep(0.01)
    found = told(*words)
    after = {path.parent.name: path.stat().st_mtime_ns for path in work.glob("*/manifest.json")}
    assert {name: after[name] for name in done} == done
    assert set(after) == {"fold_00", "fold_01"}
    straight = trained[1]
    resumed = load_bundle(folder / "killed")
    assert found["sha256"] == resumed.sha256 == straight.sha256
    assert resumed.card["out_of_fold"] == straight.card["out_of_fold"]

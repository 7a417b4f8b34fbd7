"""What the documents name must be there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NAMED = sorted(set(re.findall(r"`(\w+): (test_\w+)`", (ROOT / "docs/inputs.md").read_text())))


def test_inputs_names_its_tests():
    assert len(NAMED) > 80


@pytest.mark.parametrize(("file", "test"), NAMED)
def test_every_test_named_is_there(file, test):
    text = (ROOT / "tests" / f"test_{file}.py").read_text()
    assert re.search(rf"^def {test}\b", text, re.MULTILINE)


@pytest.mark.parametrize("document", [*sorted(ROOT.glob("docs/*.md")), ROOT / "README.md"])
def test_links_between_documents_lead_somewhere(document):
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", document.read_text()):
        if "://" not in target:
            assert (document.parent / target).exists(), target

"""The model reference knows every mechanism, and what pages point to is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md"))
MADE = ("docs/build", "docs/notebooks/work")  # by `make docs`
# Modules that hold no mechanism of the hardware: tables, queues, the order of stages.
TOOLS = {
    *("__init__", "instruction", "limits", "queue", "readiness", "tags", "wheel"),
    *("subcore", "sm", "outbox", "gpu"),
}


def test_every_mechanism_is_in_the_reference():
    reference = (ROOT / "docs/model.md").read_text()
    modules = [
        path for part in ("core", "sm", "gpu") for path in (ROOT / "sim" / part).glob("*.py")
    ]
    missing = [
        str(path.relative_to(ROOT))
        for path in modules
        if path.stem not in TOOLS and f"`{path.relative_to(ROOT)}`" not in reference
    ]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_files_that_a_page_names_are_there(page):
    text = page.read_text()
    named = re.findall(r"`((?:isa|traces|sim|validation|notebooks|tests|docs)/[\w./]+\w)`", text)
    assert not [n for n in named if not n.startswith(MADE) and not (ROOT / n).exists()]


def test_every_page_is_in_the_table_of_contents():
    """What Sphinx would say of one that is not stops the build only when that is tried."""
    listed = (ROOT / "docs/index.md").read_text().splitlines()
    assert {page.stem for page in PAGES} - {"index"} <= set(listed)

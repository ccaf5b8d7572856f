"""How Sphinx builds the documentation: `make docs`, which makes warnings errors."""

import importlib.metadata
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import tables  # noqa: E402

project = "warpwise"
author = "the warpwise authors"
release = importlib.metadata.version("warpwise")
extensions = ["myst_nb", "sphinx.ext.autodoc"]
exclude_patterns = ["build", "notebooks/work"]
default_role = "code"  # docstrings put names into single backticks

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # execute.py has done it
nb_merge_streams = True

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True}
highlight_language = "none"
python_display_short_literal_types = True
python_maximum_signature_line_length = 88

html_theme = "furo"
html_title = f"warpwise {release}"
html_static_path = ["static"]
html_css_files = ["tables.css"]
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#005a8e", "color-brand-content": "#005a8e"}
}


def _inside(_app: object, _page: str, source: list[str]) -> None:
    """Links that lead out of this folder on a code host lead to a page here."""
    source[0] = source[0].replace("(../validation/deviations.md", "(deviations.md")


def setup(app):
    """Pages that come from the code are written anew for each build."""
    tables.write(HERE / "generated")
    app.connect("source-read", _inside)

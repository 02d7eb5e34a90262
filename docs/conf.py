"""How the documentation is built: sphinx-build -W docs docs/_build.

The notebooks are pages, too. STARPOLY_NOTEBOOKS=full runs them and shows what comes out (some minutes), small in the
setting of the tests; without it they are shown as they are stored.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from starpoly import __version__

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

project = "starpoly"
author = "the starpoly authors"
release = __version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_show_copyright = False
html_title = f"starpoly {__version__}"

# pages with code cells are run when the pages are built: their figures and tables are what the code draws now
nb_execution_mode = "auto"
nb_execution_raise_on_error = True
nb_execution_timeout = 900
nb_output_stderr = "remove"
nb_render_markdown_format = "myst"  # tables, too
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3
# links into the repository, and pages in no table of contents: a test looks at both
suppress_warnings = ["myst.xref_missing", "toc.not_included"]

notebooks = os.environ.get("STARPOLY_NOTEBOOKS", "")
if notebooks not in ("", "small", "full"):
    raise ValueError(f"STARPOLY_NOTEBOOKS: expected small or full, got {notebooks}")
if notebooks == "small":
    os.environ["STARPOLY_SMALL"] = "1"
nb_execution_excludepatterns = [] if notebooks else ["notebooks/*"]
here = Path(__file__).resolve().parent
(here / "notebooks").mkdir(exist_ok=True)  # sphinx reads what lies below this folder; git ignores it
for source in (here.parent / "notebooks").glob("*.ipynb"):
    shutil.copyfile(source, here / "notebooks" / source.name)

napoleon_google_docstring = False
napoleon_use_ivar = True
autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_typehints = "none"
# a reference to a name of starpoly that is not on the page of the reference is a warning
nitpicky = True
nitpick_ignore_regex = [("py:.*", r"(?!starpoly\.).*")]

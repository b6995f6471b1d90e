"""How Sphinx builds the documentation. Nothing is fetched: it builds without a network."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE / "_ext")]

from muxi.version import __version__  # noqa: E402  after the path is set

project = "muxi-client"
author = "The muxi-client authors"
copyright = author
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "architecture",
    "endpoints",
    "marks",
    "reference",
    "repository",
    "rules",
    "tables",
]
# What commands write is included by pages.
exclude_patterns = ["_build", "_generated"]
html_theme = "furo"
html_title = f"muxi-client {__version__}"
html_static_path = ["_static"]
html_css_files = ["names.css", "layout.css"]
# The default for dark pages underlines every import.
pygments_dark_style = "github-dark"

myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 3
suppress_warnings = ["myst.header"]

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
# Shown by their names: what they stand for has lines of its own.
autodoc_type_aliases = {
    name: name for name in ("Agent", "Block", "Choice", "Line", "Part", "Reply", "ReplyScript", "Respond", "StreamItem")
}
# Longer signatures have a line for each parameter.
maximum_signature_line_length = 88
# Off: it reads defaults from the source, and those of the clients' constructors are fields of muxi.config.
autodoc_preserve_defaults = False
napoleon_use_rtype = False
python_use_unqualified_type_names = True
# The list of a page is narrow: chat() and not FormationClient.chat().
toc_object_entries_show_parents = "hide"

# Names that our pages and docstrings write must lead somewhere: `muxi.Name`. Those in signatures come with the module
# that they are defined in; Python's own, type variables and what is internal have no page here.
nitpick_ignore_regex = [
    (r"py:.*", r"(?!muxi)[A-Za-z_.]+"),
    (r"py:.*", r".*[^A-Za-z0-9_.].*"),
    (r"py:mod", r".*"),
    (r"py:class", r"muxi(_transports)?(\.[a-z_0-9]+)+\.\w+"),
]

# Copied code has no prompts and no output.
copybutton_prompt_text = r"\$ |>>> |\.\.\. "
copybutton_prompt_is_regexp = True

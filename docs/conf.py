"""Sphinx builds the documentation from this folder: ``make docs``."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE / "_ext")]

project = "Assay"
author = "the authors of Assay"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "settings", "commands"]
exclude_patterns = ["_ext"]
html_theme = "furo"
html_title = "Assay"
html_static_path = ["_static"]
html_css_files = ["assay.css"]
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}
pygments_style = "friendly"  # readable on light grey
pygments_dark_style = "monokai"

myst_enable_extensions = ["attrs_block", "colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_typehints = "none"  # the docstrings say what may be given, in words
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_param = False  # parameters that are explained together stay together

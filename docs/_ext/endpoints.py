"""Has autodoc show what the methods that descriptors make return.

Accessed on a class, an endpoint is a function with the signature and the docstring of the description; autodoc takes
everything from there but the result, for which it looks at the function underneath.
"""

from __future__ import annotations

import inspect
import re

from sphinx.application import Sphinx

import muxi
from muxi import types


def setup(app: Sphinx) -> dict[str, object]:
    """Listen to autodoc."""
    app.connect("autodoc-process-signature", _with_result)
    return {"version": "1", "parallel_read_safe": True}


def _with_result(
    app: Sphinx, what: str, name: str, obj: object, options: object, signature: str | None, result: str | None
) -> tuple[str | None, str | None]:
    if what != "method" or not hasattr(obj, "__wrapped__") or not callable(obj):
        return signature, result
    returned = inspect.signature(obj).return_annotation
    return signature, re.sub(r"\w+", _linked, returned) if isinstance(returned, str) else result


def _linked(match: re.Match[str]) -> str:
    """A name with the module that it is documented under."""
    word = match[0]
    for module in (types, muxi):
        if word in module.__all__:
            return f"{module.__name__}.{word}"
    return word

"""The code of a page of the documentation, as one program."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def code_of(page: str, after: str, without: str) -> str:
    """The Python blocks of a page, one after the other.

    Args:
        page: the page.
        after: the heading from which on they count.
        without: what is in none of them; a block that has it is left out.
    """
    text = (DOCS / page).read_text(encoding="utf-8").partition(after)[2]
    blocks: list[str] = re.findall(r"^```python\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    return "\n".join(block for block in blocks if without not in block)

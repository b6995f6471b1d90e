"""The redaction of a text that comes in pieces, in which a secret may lie across several."""

from __future__ import annotations

from muxi.redact import mask_forms, redact_text

__all__ = ["TextRedactor"]

#: Longest word that is held back, in characters: keys and URLs are recognized when their word is whole.
_LONGEST_WORD = 512


class TextRedactor:
    """Redacts a text piece by piece.

    What could be the beginning of a secret is held back until it is known: the last word, and any part at the end with
    which a form of a secret begins.

    Args:
        forms: the forms of the secrets (:func:`muxi.redact.secret_forms`).
    """

    def __init__(self, forms: tuple[str, ...]) -> None:
        self._forms = forms
        self._prefixes = frozenset(form[:length] for form in forms for length in range(1, len(form)))
        self._longest = max(map(len, forms), default=0)
        self._held = ""

    def feed(self, piece: str) -> str:
        """Add a piece; return what is certain by now, redacted."""
        text = mask_forms(self._held + piece, self._forms)
        end = self._find_open(text)
        self._held = text[end:]
        return redact_text(text[:end])

    def finish(self) -> str:
        """Return the end that was held back, redacted."""
        held, self._held = self._held, ""
        return redact_text(mask_forms(held, self._forms))

    def _find_open(self, text: str) -> int:
        """Return the position from which on the text could be part of a secret."""
        for start in range(max(0, len(text) - self._longest), len(text)):
            if text[start:] in self._prefixes:
                break
        else:
            start = len(text)
        word = len(text)
        while word > 0 and not text[word - 1].isspace():
            word -= 1
            if len(text) - word > _LONGEST_WORD:
                word = len(text)
                break
        return min(start, word)

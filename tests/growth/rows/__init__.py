"""The table of the functions that meet the text of a peer, by subject; see :mod:`tests.growth.test_functions`."""

from tests.growth.rows import answers, files, printed, streams, wire
from tests.growth.rows.row import Row

__all__ = ["ROWS", "Row"]

#: All rows, by name.
ROWS: dict[str, Row] = {**wire.ROWS, **answers.ROWS, **streams.ROWS, **files.ROWS, **printed.ROWS}

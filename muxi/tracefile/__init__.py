"""Trace files: one line of JSON for each step of a call; their version, how they are written, read and summarised."""

__all__ = ["MAX_LINE", "VERSION"]

#: Version of the format, in the field ``v`` of every line. A change that a reader could misread gets a new one.
VERSION = 1

#: Length of a line in bytes from which on a reader skips it; a writer makes no longer ones.
MAX_LINE = 4 * 1024 * 1024

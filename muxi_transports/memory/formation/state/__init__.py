"""The state of an embedded formation, without HTTP."""

"""The viewer of trace files: a page for a browser, a server that follows a file, totals for scripts."""

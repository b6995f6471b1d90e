"""The transports that ship with muxi-client; each is loaded by name, at first use, through :mod:`muxi.registry`.

PYTEST_DONT_REWRITE (as in ``muxi``)
"""

"""The modules of the SDK for a frozen program. PyInstaller runs this file when a program imports ``muxi``.

Public names, schemas, plugins and transports are imported by name at their first use, where PyInstaller does not see
them. A module whose extra is not installed is collected too and says so when it is used, as it does elsewhere.
"""

from PyInstaller.utils.hooks import collect_submodules


def _is_needed(name: str) -> bool:
    # The command line and the tools for tests bring click, rich and pytest with them; a program that uses them says so.
    return not name.startswith(("muxi.cli", "muxi.testing", "muxi.__pyinstaller"))


hiddenimports = [
    *collect_submodules("muxi", filter=_is_needed, on_error="ignore"),
    *collect_submodules("muxi_transports", on_error="ignore"),
]

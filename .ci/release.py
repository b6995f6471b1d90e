"""Builds what is published: sdist, wheel and a CycloneDX list of components; ``make release`` calls it.

It refuses a working tree with changes and a changelog without the version, and publishes nothing by itself.
"""

from __future__ import annotations

import re
import shutil
import sys

from matrix import ROOT, WORK, build, call, environment, output, pip


def main() -> int:
    """Build into ``dist/``."""
    refuse_unready()
    WORK.mkdir(exist_ok=True)
    wheel = build()
    target = ROOT / "dist"
    target.mkdir(exist_ok=True)
    for made in wheel.parent.iterdir():
        shutil.copy2(made, target / made.name)
    write_components(wheel.name.split("-")[1])
    print(f"In {target.relative_to(ROOT)}/: {', '.join(sorted(path.name for path in target.iterdir()))}")
    return 0


def refuse_unready() -> None:
    """Refuse to release what is not committed, or what the changelog does not describe."""
    if changed := output("git", "status", "--porcelain"):
        raise SystemExit(f"the working tree has changes; commit them first:\n{changed}")
    version = current_version()
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    if not re.search(rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$", changelog, re.MULTILINE):
        raise SystemExit(f"CHANGELOG.md has no section '## [{version}] - YYYY-MM-DD'")


def current_version() -> str:
    """The version in ``muxi/version.py``."""
    source = (ROOT / "muxi" / "version.py").read_text(encoding="utf-8")
    found = re.search(r'__version__[^=]*= "([^"]+)"', source)
    if found is None:
        raise SystemExit("muxi/version.py states no version")
    return found[1]


def write_components(version: str) -> None:
    """The dependencies with their licences, as CycloneDX JSON."""
    tools = environment(sys.executable, WORK / "components-tools")
    pip(tools, "install", "--quiet", "cyclonedx-bom")
    inside = environment(sys.executable, WORK / "components")
    pip(inside, "install", "--quiet", str(next((ROOT / "dist").glob(f"*-{version}-*.whl"))))
    path = ROOT / "dist" / f"muxi_client-{version}.cdx.json"
    call([tools, "-m", "cyclonedx_py", "environment", "--output-reproducible", "-o", str(path), inside])


if __name__ == "__main__":
    sys.exit(main())

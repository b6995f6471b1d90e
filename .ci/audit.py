"""Asks for known vulnerabilities of what the SDK installs; ``make audit`` calls it.

The distribution and its extras are resolved in an environment of their own, and pip-audit looks their versions up.
Where no advisory source can be reached, it says so, and nothing has been checked.
"""

from __future__ import annotations

import json
import subprocess
import sys

from matrix import EXTRAS, ROOT, WORK, environment, output, pip


def main() -> int:
    """Audit the dependencies; 1 if one has a known vulnerability."""
    WORK.mkdir(exist_ok=True)
    tools = environment(sys.executable, WORK / "audit-tools")
    pip(tools, "install", "--quiet", "pip-audit")
    inside = environment(sys.executable, WORK / "audit")
    pip(inside, "install", "--quiet", f"{ROOT}[{','.join(EXTRAS)}]")
    frozen = WORK / "audit.txt"
    lines = output(inside, "-m", "pip", "freeze", "--exclude", "muxi-client", "--exclude", "setuptools").splitlines()
    frozen.write_text("\n".join(lines), encoding="utf-8")
    command = [tools, "-m", "pip_audit", "--disable-pip", "--no-deps", "-f", "json", "-r", str(frozen)]
    for source in ("pypi", "osv"):
        done = subprocess.run([*command, "-s", source], capture_output=True, text=True, timeout=300, check=False)
        if not done.stdout.startswith("{"):
            reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
            print(f"The advisory source {source} cannot be reached: {reason}")
            continue
        looked_up = [entry for entry in json.loads(done.stdout)["dependencies"] if "skip_reason" not in entry]
        if not looked_up:
            print(f"The advisory source {source} knows none of the {len(lines)} packages.")
            continue
        vulnerable = [entry for entry in looked_up if entry["vulns"]]
        for entry in vulnerable:
            print(f"{entry['name']} {entry['version']}: {', '.join(vuln['id'] for vuln in entry['vulns'])}")
        print(
            f"{len(looked_up)} of {len(lines)} packages were looked up at {source}; {len(vulnerable)} are vulnerable."
        )
        return int(bool(vulnerable))
    print("No advisory source could be reached: NOTHING WAS CHECKED.")
    return 0


if __name__ == "__main__":
    sys.exit(main())

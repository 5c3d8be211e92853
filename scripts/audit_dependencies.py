"""Ask pip-audit for known vulnerabilities of what is installed; one that is found is a failure.

Where no advisory can be had (no network, a mirror without them), that is said and is no failure: the same command says
more elsewhere.
"""

from __future__ import annotations

import json
import subprocess
import sys


def main() -> int:
    """Print one line for each vulnerability, and how much could be asked at all."""
    command = [sys.executable, "-m", "pip_audit", "--local", "--skip-editable", "--progress-spinner", "off"]
    try:
        ended = subprocess.run(
            [*command, "--timeout", "10", "--format", "json"], capture_output=True, text=True, timeout=300, check=False
        )
        packages = json.loads(ended.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError, KeyError):
        print("no advisories could be had: the dependencies were not audited", file=sys.stderr)
        return 0
    asked = [package for package in packages if "vulns" in package]
    found = [(package, each) for package in asked for each in package["vulns"]]
    for package, each in found:
        fixed = ", ".join(each["fix_versions"]) or "no release yet"
        print(f"{package['name']} {package['version']}: {each['id']}; mended in {fixed}", file=sys.stderr)
    unasked = f"; for {len(packages) - len(asked)} there was nobody to ask" if len(asked) < len(packages) else ""
    print(f"{len(asked)} packages audited, {len(found)} vulnerabilities{unasked}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

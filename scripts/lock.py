"""Pin what the container is made of: docker/requirements.txt, docker/requirements-cuda.txt for the GPU, and
docker/requirements-sbom.txt, what writes its bill of materials.

    python3.11 scripts/lock.py

Asks pip what it would install today for setup.cfg and ``tensorflow[and-cuda]``, and installs nothing. Run it on Linux with
the Python version that the Dockerfile names. Then look at the difference, replay the Dockerfile, and commit the files.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docker"
#: what TensorFlow's extra adds on top of TensorFlow
CUDA = "nvidia-"
#: what writes the bill of materials
SBOM = "cyclonedx-bom"


def resolve(*wanted: str) -> dict[str, str]:
    """Version by name of everything that pip would install into an empty environment for these."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--report", "-"]
    done = subprocess.run([*command, *wanted], stdout=subprocess.PIPE, text=True, check=True)
    found = [package["metadata"] for package in json.loads(done.stdout)["install"]]
    return {
        package["name"].lower().replace("_", "-"): package["version"]
        for package in found
        if package["name"] != "starpoly"
    }


def write(path: Path, versions: dict[str, str], what: str) -> None:
    """One pinned package a line, in the order of the alphabet."""
    made_with = f"Python {platform.python_version().rpartition('.')[0]}, {platform.system()} {platform.machine()}"
    lines = [
        f"# {what}; written by scripts/lock.py ({made_with})",
        *(f"{name}=={versions[name]}" for name in sorted(versions)),
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    sys.stdout.write(f"{path.relative_to(ROOT)}: {len(versions)} packages\n")


def main() -> None:
    """Write the files."""
    versions = resolve("tensorflow[and-cuda]", str(ROOT))
    FOLDER.mkdir(exist_ok=True)
    cuda = {name: version for name, version in versions.items() if name.startswith(CUDA)}
    common = {name: version for name, version in versions.items() if name not in cuda}
    write(FOLDER / "requirements.txt", common, "what starpoly needs, and what that needs")
    write(FOLDER / "requirements-cuda.txt", cuda, "what TensorFlow needs for a GPU")
    write(FOLDER / "requirements-sbom.txt", resolve(SBOM), "what writes the bill of materials of the container")


if __name__ == "__main__":
    main()

"""What setup.cfg cannot say: models/ at the top of a checkout is installed as starpoly/pretrained/."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithModels(build_py):
    """Copies the models, where the registry of an installed package looks for them.

    As a mapped package they would make editable installations depend on an import hook, which comes after the current folder:
    beside a clone, ``import starpoly`` would find the clone's folder, without the package in it.
    """

    def run(self) -> None:
        """Build; an editable installation finds the models in its checkout."""
        super().run()
        if not self.editable_mode:
            files = [path for path in Path("models").rglob("*") if path.suffix in (".md", ".json", ".h5")]
            for path in files:
                target = Path(self.build_lib, "starpoly", "pretrained", path.relative_to("models"))
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)


setup(cmdclass={"build_py": BuildWithModels})

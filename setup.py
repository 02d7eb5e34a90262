"""Packages of the distribution; everything else about it stands in setup.cfg."""

from setuptools import find_packages, setup

setup(
    # models/ at the top of the checkout is installed as starpoly/pretrained/, where the registry looks first
    packages=[*find_packages(include=["starpoly", "starpoly.*"]), "starpoly.pretrained"],
    package_dir={"starpoly.pretrained": "models"},
)

"""The conda recipe asks for what setup.cfg asks for, under conda-forge's names."""

from __future__ import annotations

import configparser
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

import hubseg

# PyPI's name → conda-forge's, where they differ
NAMES = {
    "huggingface-hub": "huggingface_hub",
    "napari": "napari-base",
    "opencv-python-headless": "py-opencv",
    "torch": "pytorch",
}


@pytest.fixture(scope="module")
def recipe(repository: Path) -> dict[str, Any]:
    text = (repository / "conda" / "recipe" / "recipe.yaml").read_text("utf-8")
    return dict(yaml.safe_load(text))


@pytest.fixture(scope="module")
def setup(repository: Path) -> configparser.ConfigParser:
    found = configparser.ConfigParser()
    found.read(repository / "setup.cfg", "utf-8")
    return found


def test_it_needs_what_the_package_needs(
    recipe: dict[str, Any], setup: configparser.ConfigParser
) -> None:
    lines = setup["options"]["install_requires"].splitlines()
    asked = [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]
    assert not [one.name for one in asked if one.marker]  # a noarch package knows no markers
    wanted = {f"{NAMES.get(one.name, one.name)} {one.specifier}" for one in asked}
    wanted.add(f"python {setup['options']['python_requires']}")
    assert set(recipe["requirements"]["run"]) == wanted


def test_it_is_built_by_what_builds_the_wheel(recipe: dict[str, Any], repository: Path) -> None:
    text = (repository / "pyproject.toml").read_text("utf-8")
    (builder,) = re.findall(r'^requires = \["(.+)"\]$', text, re.MULTILINE)
    assert builder.replace(">", " >", 1) in recipe["requirements"]["host"]


def test_it_says_what_the_package_says(
    recipe: dict[str, Any], setup: configparser.ConfigParser
) -> None:
    metadata = setup["metadata"]
    assert recipe["context"]["version"] == hubseg.__version__
    assert recipe["package"]["name"] == metadata["name"]
    assert recipe["about"]["summary"] == metadata["description"]
    assert recipe["about"]["license"] == metadata["license_expression"]
    assert recipe["about"]["license_file"] == metadata["license_files"].split()
    scripts = setup["options.entry_points"]["console_scripts"].strip().splitlines()
    assert recipe["build"]["python"]["entry_points"] == scripts

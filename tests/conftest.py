"""What every test shares: the folder of real tissue, where it exists, and small slides."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("hubseg", deadline=None)  # a busy machine is not a failure
settings.load_profile("hubseg")

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real tiles and golden outputs; a test that needs it is skipped elsewhere."""
    folder = Path(os.environ.get("HUBSEG_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real tissue not found in {folder}: set HUBSEG_TEST_DATA to its folder")
    return folder


@pytest.fixture(scope="session")
def repository() -> Path:
    """Root of the source checkout."""
    return REPOSITORY

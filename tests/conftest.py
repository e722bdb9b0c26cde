"""What every test shares: the folder of real tissue, where it exists, and small slides."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("hubseg", deadline=None)  # a busy machine is not a failure
settings.load_profile("hubseg")
os.environ.setdefault("HUBSEG_NICE", "0")  # workers that give way hardly run on a busy machine
# with OpenVINO or without, a test runs the same; those of OpenVINO ask for it
os.environ.setdefault("HUBSEG_CPU_ENGINE", "torch")

# A tenth of a processor's time went into searches for circles among what torch and napari keep.
gc.set_threshold(20_000, 25, 25)

REPOSITORY = Path(__file__).resolve().parent.parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first: several processes take one file each, and end together."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real tiles and golden outputs; a test that needs it is skipped elsewhere."""
    folder = Path(os.environ.get("HUBSEG_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real tissue not found in {folder}: set HUBSEG_TEST_DATA to its folder")
    return folder


@pytest.fixture(scope="session", autouse=True)
def _no_log_of_a_test_is_a_persons(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="session")
def repository() -> Path:
    """Root of the source checkout."""
    return REPOSITORY

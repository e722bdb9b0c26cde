"""The map store: gives back what it was given or nothing, and keeps to its limit."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from hubseg.probability import MapStore, MemberMap

SMALL = MemberMap(np.random.default_rng(0).random((40, 40), np.float32))


@pytest.fixture
def store(tmp_path: Path) -> MapStore:
    return MapStore(tmp_path / "maps")


@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 99))
def test_store_gives_back_what_it_was_given(tmp_path_factory, height: int, width: int, seed: int):
    store = MapStore(tmp_path_factory.mktemp("maps"))
    values = np.random.default_rng(seed).random((height, width), np.float32)
    store.put("ab12", MemberMap(values, (1.0, 2.0, 3.0, 4.0, 5.0), 0.5))
    again = store.get("ab12")
    assert again is not None
    np.testing.assert_array_equal(again.values, values)
    assert (again.organ, again.um_per_px) == ((1.0, 2.0, 3.0, 4.0, 5.0), 0.5)


def test_store_has_nothing_it_was_not_given(store: MapStore):
    assert store.get("ab12") is None
    assert "ab12" not in store


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_damaged_map_is_dropped_not_shown(store: MapStore, share: float):
    path = store.put("ab12", MemberMap(np.random.default_rng(0).random((64, 64), np.float32)))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    assert store.get("ab12") is None
    assert "ab12" not in store


def test_a_flipped_byte_is_noticed(store: MapStore):
    path = store.put("ab12", MemberMap(np.random.default_rng(0).random((64, 64), np.float32)))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)
    assert store.get("ab12") is None


def test_a_key_cannot_leave_the_folder(store: MapStore):
    with pytest.raises(ValueError, match="not the key"):
        store.get("../../etc/passwd")


def test_nothing_half_written_is_left(store: MapStore):
    store.put("ab12", MemberMap(np.zeros((4, 4), np.float32)))
    assert [p.suffix for p in store.folder.rglob("*") if p.is_file()] == [".map"]


def test_a_flip_of_any_byte_is_noticed(store: MapStore):
    path = store.put("ab12", MemberMap(np.ones((3, 5), np.float32), (0.2,) * 5, 0.75))
    whole = path.read_bytes()
    for place in range(len(whole)):
        content = bytearray(whole)
        content[place] ^= 1
        path.write_bytes(content)
        assert store.get("ab12") is None, place
    path.write_bytes(whole)
    assert store.get("ab12").um_per_px == 0.75


def test_a_map_of_the_first_version_is_still_read(store: MapStore):
    values = SMALL.values
    content = hashlib.blake2b(str(values.shape).encode(), digest_size=16)
    content.update(values.tobytes())
    said = {"digest": content.hexdigest(), "organ": None, "um_per_px": 0.5}
    path = store.folder / "ab" / "ab12.tif"
    path.parent.mkdir(parents=True)
    tifffile.imwrite(path, values, compression="zlib", predictor=True, description=json.dumps(said))
    assert "ab12" in store
    np.testing.assert_array_equal(store.get("ab12").values, values)
    assert store.room.usage()[0] == 1
    path.write_bytes(path.read_bytes()[:200])
    assert store.get("ab12") is None
    assert not path.exists()


def test_maps_are_compressed(store: MapStore):
    smooth = cv2.resize(np.random.default_rng(0).random((9, 9), np.float32), (384, 384))
    path = store.put("ab12", MemberMap(smooth))
    assert path.stat().st_size < 0.9 * smooth.nbytes


def test_many_maps_come_in_the_order_asked_for(store: MapStore):
    keys = [f"{n:02x}{n:04x}" for n in range(9)]
    for n, key in enumerate(keys):
        store.put(key, MemberMap(np.full((4, 4), n, np.float32)))
    asked = [*reversed(keys), "none"]
    found = list(store.get_all(asked))
    assert [key for key, _ in found] == asked
    assert [None if m is None else int(m.values[0, 0]) for _, m in found] == [
        *range(8, -1, -1),
        None,
    ]


# ---- how much room maps may take --------------------------------------------------------------


def filled(store: MapStore, count: int) -> list[str]:
    """Fill a store; the first key is the least recently used."""
    keys = [f"{n:02x}{n:04x}" for n in range(count)]
    for n, key in enumerate(keys):
        os.utime(store.put(key, SMALL), (n, n))
    return keys


def one_map(tmp_path: Path) -> int:
    return MapStore(tmp_path / "one").put("ab12", SMALL).stat().st_size


def test_the_least_recently_used_map_makes_room(store: MapStore, tmp_path: Path):
    keys = filled(store, 4)
    assert store.room.usage() == (4, 4 * one_map(tmp_path))
    assert store.get(keys[0]) is not None  # used just now
    store.room.limit = 3 * one_map(tmp_path)
    assert [key for key in keys if key in store] == [keys[0], keys[2], keys[3]]
    store.put("ffff", SMALL)
    assert [key for key in (*keys, "ffff") if key in store] == [keys[0], keys[3], "ffff"]
    assert MapStore(store.folder).room.limit == 3 * one_map(tmp_path)  # it is the folder's


def test_the_map_just_written_stays_whatever_the_limit(store: MapStore):
    store.room.limit = 1
    store.put("ab12", SMALL)
    store.put("cd12", SMALL)
    assert "cd12" in store
    assert "ab12" not in store


def test_nothing_but_maps_is_ever_removed(store: MapStore, tmp_path: Path):
    project = tmp_path / "p.hubseg"
    store = MapStore(project / "maps")
    outside = tmp_path / "elsewhere"
    outside.mkdir()
    foreign = [
        project / "review.sqlite",
        project / "maps" / "store.json",
        project / "maps" / "notes.txt",
        project / "maps" / "ab" / "review.sqlite",
        project / "maps" / "ab" / "cd12.map",  # not on its shelf
        project / "maps" / "deep" / "ab12.map",
        project / "maps" / "ab12.map",
        outside / "cd34.map",
    ]
    for path in foreign:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    (project / "maps" / "cd").symlink_to(outside)
    (project / "maps" / "ab" / "ab99.map").symlink_to(outside / "cd34.map")
    store.put("ab12", SMALL)
    store.room.limit = 0
    assert "ab12" not in store
    assert all(path.exists() for path in foreign)
    assert (project / "maps" / "ab" / "ab99.map").is_symlink()


def test_what_a_killed_writer_left_behind_goes_and_what_a_living_one_writes_stays(store: MapStore):
    old, new = (store.put("ab12", SMALL).parent / name for name in ("x.part", "y.part"))
    old.write_bytes(b"half")
    new.write_bytes(b"half")
    os.utime(old, (1, 1))
    store.room.usage()
    assert not old.exists()
    assert new.exists()


@pytest.mark.parametrize("said", ["", "{", "[]", '{"limit": "much"}', '{"limit": null}'])
def test_a_damaged_limit_is_the_default(store: MapStore, said: str):
    store.folder.mkdir()
    (store.folder / "store.json").write_text(said)
    assert store.room.limit == 50 * 10**9
    with pytest.raises(ValueError, match="0 or more"):
        store.room.limit = -1


def test_writers_at_the_same_time_keep_to_the_limit_and_lose_nothing_of_each_other(
    store: MapStore, tmp_path: Path
):
    """Four processes write, read and evict; what is read is whole or absent, and all end well."""
    store.room.limit = 20 * one_map(tmp_path)
    code = f"""
import sys
import numpy as np
from pathlib import Path
from hubseg.probability import MapStore, MemberMap
store, n = MapStore(Path({str(store.folder)!r})), int(sys.argv[1])
for k in range(60):
    made = MemberMap(np.random.default_rng(k % 30).random((40, 40), np.float32))
    key = f"{{k % 30:02x}}ff"
    store.put(key, made)
    again = store.get(f"{{(k + n) % 30:02x}}ff")
    wanted = np.random.default_rng((k + n) % 30).random((40, 40), np.float32)
    assert again is None or (again.values == wanted).all()
"""
    writers = [subprocess.Popen([sys.executable, "-c", code, str(n)]) for n in range(4)]
    assert [writer.wait() for writer in writers] == [0] * 4
    store.room.make()
    count, size = store.room.usage()
    assert 0 < count <= 20
    assert size <= store.room.limit
    assert not list(store.folder.rglob("*.part"))

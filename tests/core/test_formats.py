"""Every format of the registry keeps its promise: what is written is the mask, or is refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hubseg.export import writers
from hubseg.formats import registry
from hubseg.formats.annotated import MaskedImage
from hubseg.formats.registry import FORMATS, Format

WRITTEN = [one for one in FORMATS.values() if one.writes in ("slide", "all")]
MASKS = st.tuples(st.integers(1, 14), st.integers(1, 14)).flatmap(
    lambda shape: arrays(np.bool_, shape)
)


def drawn() -> np.ndarray:
    """Return a ring with an island, a diagonal pair, a bar at the border and a lonely pixel."""
    mask = np.zeros((40, 56), np.bool_)
    mask[5:20, 8:30] = True
    mask[8:17, 12:26] = False
    mask[11:14, 16:20] = True
    mask[24:27, 4:7] = mask[27:30, 7:10] = True
    mask[-3:, :40] = mask[30, 50] = mask[0, 0] = mask[-1, -1] = True
    return mask


def image_of(mask: np.ndarray, number: int = 0) -> MaskedImage:
    return MaskedImage(mask, f"s{number}", f"s{number}.tiff", name="crypt", um_per_px=(0.5, 0.25))


def written(form: Format, folder: Path, masks: list[np.ndarray]) -> list[np.ndarray]:
    """Write masks as an export does and return what an import reads."""
    images = [image_of(mask, number) for number, mask in enumerate(masks)]
    if form.writes == "all":
        path = form.write(folder / f"all{form.suffixes[0]}", iter(images))
        found, read = registry.images_in(path)
        assert found.module == form.module
        assert [Path(one.name).stem for one in read] == [image.id for image in images]
    else:
        read = []
        for image in images:
            path = form.write(folder / f"{image.id}{form.suffixes[0]}", image)
            found, alone = registry.images_in(path)
            assert found.code.read is form.code.read
            read += alone
    return [one.mask(*mask.shape) for one, mask in zip(read, masks, strict=True)]


@pytest.mark.parametrize("form", WRITTEN, ids=lambda form: form.name)
class TestContract:
    @given(masks=st.lists(MASKS, min_size=1, max_size=3))
    def test_mask_to_format_to_mask_is_equal_pixel_for_pixel(
        self, form: Format, tmp_path_factory: pytest.TempPathFactory, masks: list[np.ndarray]
    ) -> None:
        masks = [mask for mask in masks if not form.refusal(image_of(mask))]
        expected = [mask.copy() for mask in masks]
        if form.name == "kaggle-rle-published":
            for mask in expected:
                mask[0, 0] = mask[-1, -1] = False
        for read, mask in zip(
            written(form, tmp_path_factory.mktemp("out"), masks), expected, strict=True
        ):
            assert np.array_equal(read, mask)

    def test_what_it_cannot_hold_is_refused_before_anything_is_written(self, form: Format) -> None:
        refusal = form.refusal(image_of(drawn()))
        assert bool(refusal) == (not form.holes)
        assert form.holes or "1 hole, which" in refusal
        filled = drawn()
        filled[5:20, 8:30] = True
        assert not form.refusal(image_of(filled))
        assert bool(form.loss(image_of(filled))) == (not form.parts or bool(form.always))

    def test_classes_are_kept_where_it_says_so(self, form: Format, tmp_path: Path) -> None:
        mask = drawn()
        mask[5:20, 8:30] = True
        image = image_of(mask)
        path = tmp_path / f"a{form.suffixes[0]}"
        form.write(path, [image] if form.writes == "all" else image)
        if form.index:
            getattr(form.code, form.index)(tmp_path, {1: "crypt"})
        names = {one.name for one in registry.images_in(path)[1][0].objects}
        assert names == ({"crypt"} if form.classes else {""})

    def test_an_object_in_several_parts_is_one_object_where_it_says_so(
        self, form: Format, tmp_path: Path
    ) -> None:
        mask = np.zeros((9, 9), np.bool_)
        mask[1:3, 1:3] = mask[3:5, 3:5] = mask[7, 7] = True
        path = tmp_path / f"a{form.suffixes[0]}"
        form.write(path, [image_of(mask)] if form.writes == "all" else image_of(mask))
        count = len(registry.images_in(path)[1][0].objects)
        if form.parts and form.apart:
            assert count == 2
        elif form.apart:
            assert count == 3
        else:
            assert count == 1

    def test_a_file_that_was_cut_off_is_refused_in_one_sentence(
        self, form: Format, tmp_path: Path
    ) -> None:
        mask = np.zeros((60, 60), np.bool_)
        mask[3:20, 3:9] = mask[30:40, 30:57] = True
        path = tmp_path / f"a{form.suffixes[0]}"
        form.write(path, [image_of(mask)] if form.writes == "all" else image_of(mask))
        whole = path.read_bytes()
        for part in (0, 1, 10, len(whole) // 2, len(whole) - 3):
            path.write_bytes(whole[:part])
            try:
                images = registry.images_in(path)[1]
            except (ValueError, OSError) as refused:
                assert len(str(refused).splitlines()) == 1
                assert str(refused).endswith((".", ").")) and len(str(refused)) < 400
            else:  # a text of lines may end after any of them
                assert form.content in ("", "lines")
                for image in images:
                    image.mask(60, 60)


def test_the_page_of_formats_is_made_from_the_registry(repository: Path) -> None:
    """Run ``scripts/manifest`` after a change of the registry."""
    page = (repository / "docs" / "reference.md").read_text(encoding="utf-8")
    assert f"<!-- formats -->\n{registry.as_table()}<!-- /formats -->\n" in page


def test_what_is_offered_for_writing_comes_from_the_registry() -> None:
    names = [name for name, one in FORMATS.items() if one.writes]
    assert list(writers.FORMATS) == names
    assert all(writers.FORMATS[name].title.startswith(FORMATS[name].title) for name in names)


@pytest.mark.parametrize("form", FORMATS.values(), ids=lambda form: form.name)
def test_every_entry_says_what_it_is_and_has_its_code(form: Format) -> None:
    assert form.sentence and "\n" not in form.sentence and not form.sentence.endswith(".")
    assert all(suffix == suffix.casefold() for suffix in form.suffixes)
    assert not form.writes or form.target
    code = form.code
    assert not form.reads or callable(code.read)
    assert form.writes not in ("slide", "all") or callable(getattr(code, form.writer))
    if form.content:
        assert callable(code.recognises) and callable(code.images)


def test_a_file_is_told_by_its_name_and_its_content(tmp_path: Path) -> None:
    (tmp_path / "a.xyz").write_text("x")
    with pytest.raises(ValueError, match="of no format that is read"):
        registry.images_in(tmp_path / "a.xyz")
    (tmp_path / "a.json").write_text('{"what": 1}')
    with pytest.raises(ValueError, match="is none of GeoJSON"):
        registry.images_in(tmp_path / "a.json")
    assert registry.suffix_of(Path("A.GeoJSON.gz")) == ".geojson.gz"
    packed = FORMATS["geojson"].write(tmp_path / "a.geojson.gz", image_of(drawn()))
    assert gzip.decompress(packed.read_bytes()).startswith(b'{"type":"FeatureCollection"')

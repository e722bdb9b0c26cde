"""DICOM slides: a folder, or a file with its series, at its scale; or one sentence."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hubseg.project import ReviewProject
from hubseg.project.default_location import beside
from hubseg.slide import SlideTable, read_slide

pytest.importorskip("wsidicom")

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, VLWholeSlideMicroscopyImageStorage, generate_uid

RGB = np.random.default_rng(0).integers(0, 256, (300, 420, 3), np.uint8)
TILE = 64
STAMPED = "20200101"


def dataset(**told: Any) -> Dataset:
    made = Dataset()
    for name, value in told.items():
        setattr(made, name, value)
    return made


def uids() -> dict[str, str]:
    names = ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")
    return {name: generate_uid() for name in names}


def write(
    path: Path, pixels: np.ndarray, um: float, of: dict[str, str], path_id: str = "1"
) -> None:
    """Write one level as DICOM asks for it: tiles in rows, uncompressed."""
    height, width = pixels.shape[:2]
    down, across = -(-height // TILE), -(-width // TILE)
    room = (down * TILE - height, across * TILE - width)
    padded = np.pad(pixels, ((0, room[0]), (0, room[1]), *(((0, 0),) if pixels.ndim == 3 else ())))
    tiles = [
        padded[row * TILE : (row + 1) * TILE, column * TILE : (column + 1) * TILE]
        for row in range(down)
        for column in range(across)
    ]
    bits, kind = pixels.dtype.itemsize * 8, ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    shared = dataset(
        PixelMeasuresSequence=Sequence(
            [dataset(PixelSpacing=[um / 1000, um / 1000], SliceThickness=1.0)]
        ),
        WholeSlideMicroscopyImageFrameTypeSequence=Sequence([dataset(FrameType=kind)]),
    )
    origin = dataset(XOffsetInSlideCoordinateSystem=0.0, YOffsetInSlideCoordinateSystem=0.0)
    optical = dataset(OpticalPathIdentifier=path_id, IlluminationTypeCodeSequence=Sequence([]))
    made = dataset(
        **of,
        SOPClassUID=VLWholeSlideMicroscopyImageStorage,
        SOPInstanceUID=generate_uid(),
        Modality="SM",
        ImageType=kind,
        PatientID="x",
        PatientName="x",
        InstanceNumber=1,
        StudyDate=STAMPED,
        StudyTime="000000",
        ContentDate=STAMPED,
        ContentTime="000000",
        AcquisitionDateTime=STAMPED,
        ContainerIdentifier="c",
        DimensionOrganizationType="TILED_FULL",
        Rows=TILE,
        Columns=TILE,
        TotalPixelMatrixRows=height,
        TotalPixelMatrixColumns=width,
        NumberOfFrames=len(tiles),
        TotalPixelMatrixFocalPlanes=1,
        NumberOfOpticalPaths=1,
        SamplesPerPixel=3 if pixels.ndim == 3 else 1,
        PhotometricInterpretation="RGB" if pixels.ndim == 3 else "MONOCHROME2",
        BitsAllocated=bits,
        BitsStored=bits,
        HighBit=bits - 1,
        PixelRepresentation=0,
        ImagedVolumeWidth=width * um / 1000,
        ImagedVolumeHeight=height * um / 1000,
        ImagedVolumeDepth=1.0,
        SpecimenLabelInImage="NO",
        FocusMethod="AUTO",
        ExtendedDepthOfField="NO",
        VolumetricProperties="VOLUME",
        LossyImageCompression="00",
        ImageOrientationSlide=[0, -1, 0, -1, 0, 0],
        TotalPixelMatrixOriginSequence=Sequence([origin]),
        SharedFunctionalGroupsSequence=Sequence([shared]),
        OpticalPathSequence=Sequence([optical]),
    )
    if pixels.ndim == 3:
        made.PlanarConfiguration = 0
    made["PixelData"] = _data(np.stack(tiles), bits)
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    made.save_as(path, enforce_file_format=True)


def _data(tiles: np.ndarray, bits: int) -> Any:
    from pydicom.dataelem import DataElement

    return DataElement("PixelData", "OB" if bits == 8 else "OW", tiles.tobytes())


def written(folder: Path, pixels: np.ndarray = RGB, levels: int = 3) -> Path:
    folder.mkdir(parents=True)
    of = uids()
    for number in range(levels):
        step = 2**number
        write(folder / f"{number}.dcm", pixels[::step, ::step], 0.5 * step, of)
    return folder


def test_a_folder_is_read_by_any_window_and_level(tmp_path: Path) -> None:
    slide = read_slide(written(tmp_path / "1.2.840.7"))
    assert (slide.id, slide.height, slide.width) == ("1.2.840.7", 300, 420)
    assert slide.levels == ((300, 420), (150, 210), (75, 105))
    assert slide.um_per_px == pytest.approx(0.5)
    assert slide.origins["um_per_px"] == "metadata"
    assert np.array_equal(slide.read(), RGB)
    assert np.array_equal(slide.read((250, 380, 50, 40)), RGB[250:, 380:])
    assert np.array_equal(slide.read((100, 120, 90, 200), 1), RGB[100:190:2, 120:320:2])
    assert np.array_equal(slide.read(level=2), RGB[::4, ::4])
    assert np.array_equal(pickle.loads(pickle.dumps(slide)).read((0, 0, 2, 2)), RGB[:2, :2])


def test_a_file_is_opened_with_its_series(tmp_path: Path) -> None:
    folder = written(tmp_path / "d")
    write(folder / "other.dcm", RGB[:90], 0.25, uids())
    slide = read_slide(folder / "2.dcm")
    assert (slide.id, slide.levels[0]) == ("2", (300, 420))
    assert read_slide(folder / "other.dcm").levels == ((90, 420),)
    with pytest.raises(ValueError, match="holds several slides; give each a folder"):
        read_slide(folder)


@pytest.mark.parametrize("deep", [False, True])
def test_grey_is_grey_and_several_optical_paths_are_channels(tmp_path: Path, deep: bool) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    of = uids()
    stored = RGB.astype(np.uint16) * 16 if deep else RGB
    for number in range(2):
        write(folder / f"{number}.dcm", stored[..., number], 0.5, of, str(number))
    with pytest.raises(ValueError, match="holds 2 channels that are not red, green and blue"):
        read_slide(folder)
    slide = read_slide(folder, part="channels=2")
    assert np.array_equal(slide.read(), np.repeat(RGB[..., 1:2], 3, axis=2))
    assert ("values" in slide.notes) == deep
    with pytest.raises(ValueError, match="no channel 3"):
        read_slide(folder, part="channels=3")


def test_what_it_does_not_hold_is_refused(tmp_path: Path) -> None:
    folder = written(tmp_path / "d", levels=1)
    for part, said in (("image=2", "no image 2"), ("plane=2", "no plane 2")):
        with pytest.raises(ValueError, match=said):
            read_slide(folder, part=part)


def test_damaged_files_are_refused_in_one_sentence(tmp_path: Path) -> None:
    folder = written(tmp_path / "d", levels=1)
    (file,) = folder.iterdir()
    data = file.read_bytes()
    for content, said in ((b"", "no whole-slide image"), (data[:300], "d cannot be shown")):
        file.write_bytes(content)
        with pytest.raises(ValueError, match=said) as refused:
            read_slide(folder)
        assert "\\n" not in str(refused.value)
    file.write_bytes(data[: len(data) // 2])
    with pytest.raises(ValueError, match="cannot be"):
        read_slide(folder).read()


def test_without_the_extra_the_refusal_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = written(tmp_path / "in" / "d", levels=1)
    monkeypatch.setitem(sys.modules, "wsidicom", None)
    with pytest.raises(ValueError, match=r'pip install "napari-hubseg\[dicom\]"\.$'):
        read_slide(folder)
    assert "napari-hubseg[dicom]" in SlideTable.open(folder.parent).missing["d"]


def test_a_project_keeps_one(tmp_path: Path) -> None:
    folder = written(tmp_path / "in" / "1.2.3")
    assert beside(folder) == tmp_path / "in" / "1.2.3.hubseg"
    assert [slide.id for slide in SlideTable.open(tmp_path / "in").slides] == ["1.2.3"]
    with ReviewProject.create(tmp_path / "p.hubseg", SlideTable.open(folder)) as project:
        slide = project.slides()[0]
        assert np.array_equal(slide.read(), RGB)
        project.record_file(slide)
    write(folder / "0.dcm", 255 - RGB, 0.5, uids())
    with ReviewProject.open(tmp_path / "p.hubseg") as project:
        slide = project.slides()[0]
        with pytest.raises(ValueError, match="several slides"):
            project.check_file(slide)

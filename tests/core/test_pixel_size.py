"""The size of a pixel: every place and unit that gives it, and which ones are not believed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from hubseg.slide import SlideTable, read_slide

if TYPE_CHECKING:
    from pathlib import Path

RGB = np.zeros((6, 8, 3), np.uint8)
CM, INCH, NONE = "centimeter", "inch", "none"


def write(path: Path, **options: Any) -> Path:
    tifffile.imwrite(path, RGB, photometric="rgb", **options)
    return path


def described(text: str, **options: Any) -> dict[str, Any]:
    return {"description": text.encode(), "metadata": None, **options}


def imagej(unit: str, across: float = 2, down: float = 2) -> dict[str, Any]:
    about = f"ImageJ=1.54f\nunit={unit}\nloop=false\n"
    return described(about, resolution=(across, down), resolutionunit=NONE)


def ome(**attributes: str) -> dict[str, Any]:
    said = " ".join(f'{name}="{value}"' for name, value in attributes.items())
    return described(
        '<?xml version="1.0" encoding="UTF-8"?><OME><Image ID="Image:0"><Pixels ID="Pixels:0" '
        f'DimensionOrder="XYCZT" Type="uint8" SizeX="8" SizeY="6" SizeC="3" SizeZ="1" SizeT="1" '
        f'{said}><Channel ID="C" SamplesPerPixel="3"/><TiffData IFD="0"/></Pixels></Image></OME>'
    )


def sized(size: str, unit: str) -> dict[str, Any]:
    units = {"PhysicalSizeXUnit": unit, "PhysicalSizeYUnit": unit}
    return ome(PhysicalSizeX=size, PhysicalSizeY=size, **units)


PHILIPS = (
    '<?xml version="1.0"?><DataObject ObjectType="DPUfsImport"><Attribute '
    'Name="DICOM_PIXEL_SPACING" Group="0x0028" Element="0x0030" PMSVR="IDoubleArray">'
    "{}</Attribute></DataObject>"
)

FOUND = {
    "ImageJ, um": (imagej("um"), 0.5),
    "ImageJ, µm": (imagej("µm"), 0.5),
    "ImageJ, the other µ": (imagej("μm"), 0.5),
    "ImageJ, micron": (imagej("micron"), 0.5),
    "ImageJ, microns": (imagej("microns"), 0.5),
    "ImageJ, Java's escape": (imagej("\\u00B5m"), 0.5),
    "ImageJ, a mangled µ": (imagej("Âµm"), 0.5),
    "ImageJ, nm": (imagej("nm", 0.002, 0.002), 0.5),
    "ImageJ, mm": (imagej("mm", 2000, 2000), 0.5),
    "OME, inch": (sized("0.00001", "inch"), 0.254),
    "OME, Å": (sized("5000", "Å"), 0.5),
    "OME, Å as a reference": (sized("5000", "&#197;"), 0.5),
    "OME, the ångström sign": (sized("5000", "\u212b"), 0.5),
    "OME, nm": (sized("500", "nm"), 0.5),
    "OME, mm": (sized("0.0005", "mm"), 0.5),
    "OME, cm": (sized("0.00005", "cm"), 0.5),
    "OME, µm as a reference": (sized("0.5", "&#181;m"), 0.5),
    "OME, Y alone": (ome(PhysicalSizeY="0.5"), 0.5),
    "Philips": (described(PHILIPS.format('"0.00025" "0.00025"')), 0.25),
    "Philips, quotes as references": (
        described(PHILIPS.format("&quot;0.00025&quot; &quot;0.00025&quot;")),
        0.25,
    ),
    "Philips, the whole image beside its reductions": (
        described(PHILIPS.format('"0.0005" "0.0005"') + PHILIPS.format('"0.00025" "0.00025"')),
        0.25,
    ),
    "an element": (described("<x><PixelSpacing>0.00025 0.00025</PixelSpacing></x>"), 0.25),
    "DICOM's backslash": (described(r'<x PixelSpacing="0.00025\0.00025"/>'), 0.25),
    "2 µm, which is 12,700 dpi": (
        {"resolution": (12700, 12700), "resolutionunit": INCH},
        2.0,
    ),
    "10 µm, 1,000 px a cm": ({"resolution": (1000, 1000), "resolutionunit": CM}, 10.0),
}

NOT_BELIEVED = {
    "a flatbed's 2,400 dpi": ({"resolution": (2400, 2400), "resolutionunit": INCH}, "2400 dpi"),
    "4,800 dpi": ({"resolution": (4800, 4800), "resolutionunit": INCH}, "4800 dpi"),
    "2,400 dpi told in cm": ({"resolution": (944.88, 944.88), "resolutionunit": CM}, "2400 dpi"),
    "tags that differ by axis": (
        {"resolution": (20000, 10000), "resolutionunit": CM},
        "0.5 µm/px across and 1 down",
    ),
    "a unit too coarse": (sized("0.5", "mm"), "gives 500 µm/px, which is outside 0.01-20"),
    "a unit too fine": (sized("0.5", "nm"), "gives 0.0005 µm/px"),
    "one axis alone is odd": (ome(PhysicalSizeX="0.5", PhysicalSizeY="50"), "gives 50 µm/px"),
    "ImageJ in inches": (imagej("inch", 1200, 1200), "1200 dpi"),
    "Aperio": (described("Aperio Image|MPP = 250|x"), "MPP gives 250"),
}


@pytest.mark.parametrize("name", FOUND)
def test_it_is_found_and_converted(tmp_path, name):
    options, um_per_px = FOUND[name]
    slide = read_slide(write(tmp_path / "a.tif", **options))
    assert slide.um_per_px == pytest.approx(um_per_px)
    assert slide.origins["um_per_px"] == "TIFF tags"
    assert slide.spacing == pytest.approx((um_per_px, um_per_px))


@pytest.mark.parametrize("name", NOT_BELIEVED)
def test_what_no_microscope_has_is_not_believed_and_a_person_is_asked(tmp_path, name):
    options, told = NOT_BELIEVED[name]
    slide = read_slide(write(tmp_path / "a.tif", **options))
    assert slide.um_per_px is None
    assert slide.origins["um_per_px"] == "unknown"
    assert told in slide.notes["um_per_px"]
    assert slide.notes["um_per_px"].endswith(": enter it.")
    assert SlideTable.open(tmp_path / "a.tif").notes == {"a": slide.notes["um_per_px"]}


def test_a_printers_default_is_no_question(tmp_path):
    for dpi in (72, 96, 300, 600):
        slide = read_slide(write(tmp_path / "a.tif", resolution=(dpi, dpi), resolutionunit="inch"))
        assert (slide.um_per_px, dict(slide.notes)) == (None, {})


@pytest.mark.parametrize(
    "options",
    [
        ome(PhysicalSizeX="0.5", PhysicalSizeY="0.32"),
        imagej("um", 2, 3.125),
        described(PHILIPS.format('"0.00032" "0.0005"')),
    ],
    ids=["OME", "ImageJ", "Philips"],
)
def test_pixels_that_are_not_square_keep_both_sides_and_their_area(tmp_path, options):
    slide = read_slide(write(tmp_path / "a.tif", **options))
    assert slide.spacing == pytest.approx((0.32, 0.5))
    assert slide.um_per_px**2 == pytest.approx(0.32 * 0.5)
    assert "0.5 across and 0.32 down" in slide.notes["um_per_px"]


def test_the_axes_turn_with_the_image(tmp_path):
    turned = ome(PhysicalSizeX="0.5", PhysicalSizeY="0.32")
    path = write(tmp_path / "a.tif", extratags=[(274, "H", 1, 6, True)], **turned)
    assert read_slide(path).spacing == pytest.approx((0.5, 0.32))


def test_a_person_says_it_and_is_asked_no_more(tmp_path):
    path = write(tmp_path / "a.tif", **ome(PhysicalSizeX="0.5", PhysicalSizeY="0.32"))
    slide = read_slide(path).told(um_per_px=0.4)
    assert slide.spacing == (0.4, 0.4)
    assert "um_per_px" not in slide.notes
    assert read_slide(path, um_per_px=0.4).spacing == (0.4, 0.4)


def test_nothing_that_xml_declares_is_expanded(tmp_path):
    bomb = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))
    about = ome(PhysicalSizeX="&l9;", PhysicalSizeY="0.5")["description"].decode()
    xml = f'<!DOCTYPE OME [<!ENTITY l0 "5">{bomb}]>' + about.partition("?>")[2]
    slide = read_slide(write(tmp_path / "a.tif", **described(xml)))
    assert slide.um_per_px is None
    np.testing.assert_array_equal(slide.read(), RGB)


@given(
    st.sampled_from(["µm", "nm", "Å", "mm", "cm", "inch"]),
    st.floats(0.02, 10),
    st.floats(0.5, 2),
)
def test_any_size_in_any_unit_comes_out_in_um(tmp_path_factory, unit, um, stretch):
    from hubseg.slide.pixel_size import unit_in_um

    across, down = um / unit_in_um(unit), um * stretch / unit_in_um(unit)
    options = ome(
        PhysicalSizeX=repr(across),
        PhysicalSizeY=repr(down),
        PhysicalSizeXUnit=unit,
        PhysicalSizeYUnit=unit,
    )
    path = write(tmp_path_factory.getbasetemp() / "any.tif", **options)
    slide = read_slide(path)
    if 0.01 <= um * stretch <= 20:
        assert slide.spacing == pytest.approx((um * stretch, um))
    else:
        assert slide.spacing is None


@pytest.mark.parametrize("unit", ["pixel", "pixels", "", "reference frame", "m/s", "\\u00B5"])
def test_what_is_no_length_is_no_unit(unit):
    from hubseg.slide.pixel_size import unit_in_um

    assert math.isnan(unit_in_um(unit))

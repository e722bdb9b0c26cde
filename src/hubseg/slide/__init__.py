"""Slides: RGB pixels read by window, what is known about them, and the tables that list them."""

from hubseg.slide.image import Slide, read_slide
from hubseg.slide.kinds import SUFFIXES
from hubseg.slide.rows import read_rows
from hubseg.slide.table import SlideTable
from hubseg.slide.words import UnknownName, in_words, take_new, unknown_names

__all__ = [
    "SUFFIXES",
    "Slide",
    "SlideTable",
    "UnknownName",
    "in_words",
    "read_rows",
    "read_slide",
    "take_new",
    "unknown_names",
]

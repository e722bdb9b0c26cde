"""Organs, data sources and structures: the words that everything else is said with.

Responsible for words (:mod:`~hubseg.organ.words`), for those a project or a recipe has
(:mod:`~hubseg.organ.vocabulary`), and for what is published about five organs
(:mod:`~hubseg.organ.facts`). Does not know any slide.
"""

from hubseg.organ.facts import FACTS, ORGANS, SOURCES, OrganFacts
from hubseg.organ.vocabulary import BUILT_IN, Structure, Term, Vocabulary
from hubseg.organ.words import DataSource, Organ, StructureName

__all__ = [
    "BUILT_IN",
    "FACTS",
    "ORGANS",
    "SOURCES",
    "DataSource",
    "Organ",
    "OrganFacts",
    "Structure",
    "StructureName",
    "Term",
    "Vocabulary",
]

"""HubSeg: from an ensemble's probability maps to masks a pathologist trusts, and back.

The core: no Qt, no napari, and no torch until a network runs. The napari plugin
(`napari_hubseg`) and the command line (:mod:`hubseg.cli`) are two views of it.
"""

__version__ = "0.2.0"

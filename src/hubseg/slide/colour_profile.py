"""What is said of an ICC profile that an image brings along.

Responsible for that sentence. Nothing is converted: networks were trained on stored colours.
"""

from __future__ import annotations

from io import BytesIO

__all__ = ["said_of_profile"]


def said_of_profile(profile: bytes) -> str:
    """Return a sentence about a profile of other colours than sRGB's; "" of sRGB and of none."""
    if not profile:
        return ""
    from PIL import ImageCms

    try:
        found = ImageCms.ImageCmsProfile(BytesIO(profile))
        name = " ".join(ImageCms.getProfileDescription(found).split())[:60]
    except (ImageCms.PyCMSError, OSError, ValueError):
        name = ""
    if "srgb" in name.casefold():
        return ""
    return (
        f"Its colour profile ({name or 'without a name'}) is not applied: colours are shown, and "
        "given to networks, as they are stored."
    )

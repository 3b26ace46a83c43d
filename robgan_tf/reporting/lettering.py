"""Which letters a text is drawn with: a font that has them all, or their numbers where none has."""

import functools
import pathlib
import unicodedata

from PIL import ImageFont


def lettering(text: str, size: int) -> tuple[str, ImageFont.FreeTypeFont]:
    """Finds how a text can be drawn without boxes in place of letters.

    Latin letters without accents are drawn with Pillow's own font, most alphabets with
    matplotlib's DejaVu Sans, others with a font of this machine that has all letters of the text.
    Letters that no such font has are written as their numbers, such as U+732B.

    Args:
      text: what is to be drawn.
      size: of the letters, in pixels.

    Returns:
      A tuple of the text as it is drawn, and the font to draw it with.
    """
    # A folder's name may hold a letter and its accent apart.
    text = unicodedata.normalize("NFC", text)
    if text.replace("\N{NO-BREAK SPACE}", " ").isascii():
        return text, _own_font(size)
    letters = {letter for letter in text if not letter.isspace()}
    for path in (_dejavu_sans(), *_system_fonts()):
        if all(ord(letter) in _letters_of(path) for letter in letters):
            return text, ImageFont.truetype(path, size)
    known = _letters_of(_dejavu_sans())
    spelled = "".join(
        letter if letter.isspace() or ord(letter) in known else f" U+{ord(letter):04X} "
        for letter in text
    )
    return " ".join(spelled.split()), ImageFont.truetype(_dejavu_sans(), size)


def _own_font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont), "Pillow was built without FreeType"
    return font


@functools.cache
def _dejavu_sans() -> str:
    # It takes a while to load, and few texts need it.
    import matplotlib

    return str(pathlib.Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"))


@functools.cache
def _system_fonts() -> tuple[str, ...]:
    from matplotlib.font_manager import findSystemFonts

    return tuple(sorted(findSystemFonts()))


@functools.cache
def _letters_of(path: str) -> frozenset[int]:
    """The code points that a font has glyphs for; none if it cannot be read."""
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(FT2Font(path).get_charmap())
    except (OSError, RuntimeError):
        return frozenset()

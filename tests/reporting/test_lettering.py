"""Names in any alphabet: no two different letters may look the same, as boxes do."""

import itertools

import numpy as np
import pytest
from PIL import ImageFont

from robgan_tf.reporting import lettering
from robgan_tf.reporting.drawing import text_box


def drawn(text):
    return text_box(text, 24, 160, 13, "left")


@pytest.mark.parametrize("letters", ["éèêñ", "ЖШДж", "αβγΩ", "猫狗鳥", "\N{CAT}\N{DOG}"])
def test_different_letters_look_different(letters):
    for one, other in itertools.combinations(letters, 2):
        assert not np.array_equal(drawn(one), drawn(other)), (one, other)


def test_plain_names_are_drawn_as_before():
    text, font = lettering.lettering("perturbation x\N{NO-BREAK SPACE}8", 13)
    assert text == "perturbation x\N{NO-BREAK SPACE}8"
    assert font.getname() == ImageFont.load_default(13).getname()


def test_an_accent_of_its_own_is_put_on_its_letter():
    np.testing.assert_array_equal(drawn("cafe\N{COMBINING ACUTE ACCENT}"), drawn("café"))


def test_what_no_font_has_is_spelled(monkeypatch):
    monkeypatch.setattr(lettering, "_system_fonts", tuple)
    assert lettering.lettering("猫 (cat) é", 13)[0] == "U+732B (cat) é"
    assert lettering.lettering("лес猫", 13)[0] == "лес U+732B"


def test_a_font_of_the_machine_is_used_where_it_has_all_letters(monkeypatch):
    fonts = {"broken.ttf": frozenset(), "one.ttf": {ord("猫")}, "both.ttf": {*map(ord, "猫狗")}}
    letters_of = lettering._letters_of
    monkeypatch.setattr(lettering, "_system_fonts", lambda: tuple(fonts))
    monkeypatch.setattr(
        lettering, "_letters_of", lambda path: fonts[path] if path in fonts else letters_of(path)
    )
    opened = []
    monkeypatch.setattr(ImageFont, "truetype", lambda path, size: opened.append(path))
    assert lettering.lettering("猫 狗", 13)[0] == "猫 狗"
    assert opened == ["both.ttf"]

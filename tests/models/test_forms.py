"""The forms of networks that a gin file may name are those that there are."""

from robgan_tf.config.groups import NETWORK_FORM_NAMES, PREACT_FORM_NAMES
from robgan_tf.models.forms import DISCRIMINATOR_FORMS, GENERATOR_FORMS, PREACT_FORMS


def test_each_name_is_a_form():
    assert tuple(GENERATOR_FORMS) == tuple(DISCRIMINATOR_FORMS) == NETWORK_FORM_NAMES
    assert tuple(PREACT_FORMS) == PREACT_FORM_NAMES

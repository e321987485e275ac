"""What a training accepts."""

from __future__ import annotations

import pytest
from aiida import orm

from aiida_crystalgen.calculations.train import TRAINING, validate_parameters, with_defaults


def verdict(**parameters):
    """Return what is said of some parameters."""
    return validate_parameters(orm.Dict(parameters), None)


@pytest.mark.usefixtures('aiida_profile')
def test_parameters_of_a_training_are_accepted():
    """Known names with sensible values raise no sentence, nor do none at all."""
    assert verdict() is None
    assert verdict(epochs=2, rate=None, held_out=0.2, tell_atoms=False, width=32, heads=4) is None


@pytest.mark.usefixtures('aiida_profile')
@pytest.mark.parametrize(
    ('given', 'words'),
    [
        ({'epoch': 3}, 'did you mean `epochs`'),
        ({'epochs': 0}, 'smallest allowed, 1'),
        ({'epochs': 2.5}, 'whole number'),
        ({'held_out': 0.9}, 'largest allowed, 0.5'),
        ({'width': 100, 'heads': 3}, 'no multiple'),
        ({'patience': None}, 'no value'),
    ],
)
def test_other_parameters_get_a_sentence(given, words):
    """Unknown names, wrong types and values out of range are refused before a job exists."""
    assert words in verdict(**given)


def test_defaults_are_the_recipe_of_the_trainer():
    """Every parameter is a field of the recipe or of the network, or one that the job itself reads."""
    pytest.importorskip('torch')
    import dataclasses

    from aiida_crystalgen.models.wyckoff.network import Shape
    from aiida_crystalgen.models.wyckoff.train import Recipe

    fields = {field.name for form in (Recipe, Shape) for field in dataclasses.fields(form)}
    assert set(TRAINING['parameters']) - fields == {'held_out', 'symprec'}
    Shape(**{name: value for name, value in with_defaults({}).items() if name in Shape.__dataclass_fields__})

"""The packaged model in a real job: its modules travel in the bundle, its weights as an input of their own."""

import hashlib

import pytest

pytest.importorskip('torch')


@pytest.fixture
def drawn(python_code):
    """Draw four crystals of lithium and oxygen."""
    from aiida import engine

    from aiida_crystalgen.workflows.generate import GenerateWorkChain

    conditions = {'chemical_system': 'Li-O', 'max_atoms': 12}
    builder = GenerateWorkChain.get_builder_from_protocol(python_code, 'wyckoff', 4, conditions)
    return engine.run_get_node(builder).node


def test_weights_are_an_input_and_the_wish_is_kept(drawn):
    """What is drawn has the elements asked for; the weights are a node whose sha256 is that of the packaged file."""
    from aiida_crystalgen import bundles

    assert drawn.is_finished_ok, drawn.exit_message
    crystals = drawn.outputs.batch.crystals
    rejected = drawn.outputs.rejected.crystals if 'rejected' in drawn.outputs else []
    assert len(crystals) + len(rejected) == 4
    assert set(crystals.numbers.tolist()) == {3, 8}
    content = drawn.inputs.job.model.get_content(mode='rb')
    packaged = bundles.packaged_weights('generator', 'wyckoff').read_bytes()
    assert hashlib.sha256(content).digest() == hashlib.sha256(packaged).digest()

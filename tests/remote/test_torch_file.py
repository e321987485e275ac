"""Tensors of `.pt` files without torch: everything true is read, nothing that a file names is ever run."""

from __future__ import annotations

import argparse
import collections
import contextlib
import io
import pathlib
import pickle
import sys
import types
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

REMOTE = Path(__file__).parents[2] / 'aiida_crystalgen' / 'remote'
DATA = Path(__file__).resolve().parents[3] / 'shared' / 'data' / 'generators'
if str(REMOTE) not in sys.path:
    sys.path.append(str(REMOTE))

import safe_pickle  # noqa: E402
import torch_file  # noqa: E402

torch = pytest.importorskip('torch')

DTYPES = [
    'float16', 'float32', 'float64', 'int8', 'int16', 'int32', 'int64', 'uint8', 'uint16', 'uint32', 'uint64', 'bool',
    'complex64', 'complex128',
]  # fmt: skip


def saved(value, **options) -> bytes:
    """Return what `torch.save` writes."""
    buffer = io.BytesIO()
    torch.save(value, buffer, **options)
    return buffer.getvalue()


def changed(data: bytes, **members: bytes | None) -> bytes:
    """Return a `.pt` with members replaced (`data_pkl`, `data_0`), added, or left out."""
    members = {
        name.replace('data_', 'data/', 1) if name != 'data_pkl' else 'data.pkl': members[name] for name in members
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, 'w') as new:
        root = old.namelist()[0].split('/')[0]
        kept = {name.split('/', 1)[1]: old.read(name) for name in old.namelist()}
        for name, content in {**kept, **members}.items():
            if content is not None:
                new.writestr(f'{root}/{name}', content)
    return buffer.getvalue()


def refusal(data: bytes, **options) -> tuple[str, str]:
    """Return the word and the sentence with which a file is refused."""
    with pytest.raises(safe_pickle.UnreadableError) as caught:
        torch_file.load(data, **options)
    return caught.value.reason, str(caught.value)


@pytest.mark.parametrize('dtype', DTYPES)
def test_dtypes(dtype):
    """Every type that numpy has comes back exactly."""
    tensor = torch.tensor([[0, 1, 2], [3, 4, 5]]).to(getattr(torch, dtype))
    read = torch_file.load(saved({'a': tensor}))['a']
    assert read.dtype == tensor.numpy().dtype
    np.testing.assert_array_equal(read, tensor.numpy())


def test_bfloat16_is_read_as_float32():
    """Each bfloat16 is a float32, exactly, not finite ones too."""
    tensor = torch.tensor([1.5, -2.7182818, 3e38, float('inf'), float('nan'), 0.0]).to(torch.bfloat16)
    read = torch_file.load(saved(tensor))
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, tensor.float().numpy())


def test_views_share_their_storage():
    """Strided, transposed, shifted, expanded and empty views are what they were, and share memory."""
    base = torch.arange(60, dtype=torch.float64).reshape(3, 4, 5)
    views = {
        'base': base, 'steps': base[:, ::2, 1::3], 'turned': base.permute(2, 0, 1), 'one': base[2, 3, 4],
        'expanded': base[0, 0, :1].expand(7, 1), 'empty': base[:, :0], 'slice': base[1:],
    }  # fmt: skip
    read = torch_file.load(saved(views))
    for name, view in views.items():
        np.testing.assert_array_equal(read[name], view.numpy(), err_msg=name)
    assert np.shares_memory(read['base'], read['slice'])
    with pytest.raises(ValueError, match='read-only'):
        read['base'][0, 0, 0] = 1


def test_plain_containers():
    """Containers, numbers, text, numpy arrays, shapes and namespaces are read; a namespace is a dict."""
    strings = np.array(['Na', 'Cl'])
    value = {
        'settings': argparse.Namespace(label='run0', batch_size=4, nested=argparse.Namespace(a=None)),
        'space': types.SimpleNamespace(step=0.5),
        'ordered': collections.OrderedDict([('b', 1), ('a', [2.5, (3, 'x'), b'bytes', True])]),
        'default': collections.defaultdict(list, {1: [2]}), 'size': torch.ones(2, 3).shape, 'path': pathlib.Path('a/b'),
        'array': np.asfortranarray(np.arange(6.0).reshape(2, 3)), 'scalar': np.float64(0.25), 'strings': strings,
        'device': torch.device('cpu'), 'long': 10**30, 'twice': [strings, strings], 'dtype': torch.float32,
    }  # fmt: skip
    read = torch_file.load(saved(value))
    assert read['settings'] == {'label': 'run0', 'batch_size': 4, 'nested': {'a': None}}
    assert read['space'] == {'step': 0.5}
    assert type(read['settings']) is dict
    assert read['ordered'] == value['ordered']
    assert list(read['ordered']) == ['b', 'a']
    assert (read['default'], read['size'], read['device'], read['long']) == ({1: [2]}, (2, 3), 'cpu', 10**30)
    assert (read['path'], read['scalar']) == ('a/b', 0.25)
    np.testing.assert_array_equal(read['array'], value['array'])
    assert read['strings'].tolist() == ['Na', 'Cl']
    assert read['twice'][0] is read['twice'][1]


def test_state_of_a_model():
    """Parameters, buffers and tensors with attributes of their own are arrays."""
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    tensor = torch.ones(3)
    tensor.note = 'mine'
    read = torch_file.load(saved({'state': model.state_dict(), 'bare': model[0].weight, 'noted': tensor}))
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(read['state'][name], value.numpy())
    np.testing.assert_array_equal(read['bare'], model[0].weight.detach().numpy())
    np.testing.assert_array_equal(read['noted'], np.ones(3))


def test_other_byte_order():
    """What was saved on a big-endian machine is read."""
    tensor = torch.tensor([1.5, -2.0, 1e-30])
    data = changed(saved(tensor), byteorder=b'big', data_0=tensor.numpy().byteswap().tobytes())
    np.testing.assert_array_equal(torch_file.load(data), tensor.numpy())


class Calls:
    """An object whose pickle calls a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize('protocol', [2, 4])
@pytest.mark.parametrize('name', ['os.system', 'eval', 'exec', 'subprocess.Popen', 'getattr', 'open', '__import__'])
def test_calls_are_refused_and_not_run(name, protocol, tmp_path):
    """An arbitrary reduce is refused with a sentence that names it, and nothing happens."""
    module, _, short = name.rpartition('.')
    function = getattr(__import__(module or 'builtins'), short)
    data = saved(
        {'frac_coords': torch.ones(2, 3), 'x': Calls(function, f'touch {tmp_path}/ran')}, pickle_protocol=protocol
    )
    reason, sentence = refusal(data)
    assert reason == 'unsafe'
    assert f'.{short}`' in sentence
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ('pickled', 'word'),
    [
        (b'\x80\x02cbuiltins\ndict\n)R.', 'builtins.dict'),
        (b'\x80\x02ctorch\nFloatStorage\n)R.', 'torch.FloatStorage'),
        (b'(ios\nsystem\n.', 'INST'),
        (b'(cargparse\nNamespace\no.', 'OBJ'),
        (b'\x80\x02\x82\x01.', 'EXT1'),
        (b'Pkey\n.', 'PERSID'),
        (b'\x80\x02ctorch._utils\n_rebuild_qtensor\n.', '_rebuild_qtensor'),
        (b'\x80\x02cnumpy\ndtype\nX\x01\x00\x00\x00O\x85R.', 'type `O`'),
        (b'\x80\x02cnumpy.core.multiarray\n_reconstruct\nctorch\nTensor\n\x85R.', 'class of its own'),
    ],
)
def test_what_tensors_do_not_need(pickled, word):
    """Steps and globals outside the tables are refused, each with a sentence that names it."""
    reason, sentence = refusal(changed(saved(1), data_pkl=pickled))
    assert reason == 'unsafe'
    assert word in sentence


def test_graph_batches_are_left_out():
    """Batches of torch_geometric (in outputs of CSP tasks) do not prevent the rest from being read."""
    names = ['torch_geometric', 'torch_geometric.data', 'torch_geometric.data.batch', 'torch_geometric.data.data']
    modules = {name: types.ModuleType(name) for name in names}
    batch, plain = modules[names[2]], modules[names[3]]
    batch.Getter = type('Getter', (), {'__module__': names[2], '__call__': lambda *_: None})
    plain.Data = type('Data', (), {'__module__': names[3]})

    class Batch:
        def __reduce__(self):
            return batch.Getter(), (plain.Data,), {'store': plain.Data(), 'slices': collections.defaultdict(dict)}

    sys.modules.update(modules)
    try:
        data = saved({'input_data_batch': Batch(), 'frac_coords': torch.ones(1, 3)})
    finally:
        for name in names:
            del sys.modules[name]
    read = torch_file.load(data)
    assert isinstance(read['input_data_batch'], safe_pickle.LeftOut)
    assert read['frac_coords'].shape == (1, 3)


def test_other_files_are_refused_with_a_way_out():
    """The format before torch 1.6, a bare pickle, a text and a zip of other things are told apart."""
    old = refusal(saved(torch.ones(2), _use_new_zipfile_serialization=False))
    assert 'save it again' in old[1]
    assert 'is no zip' in refusal(pickle.dumps({'a': 1}))[1]
    assert 'is no zip' in refusal(b'data_image0')[1]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w') as archive:
        archive.writestr('gen_0.cif', 'data_image0')
    assert '`data.pkl`' in refusal(buffer.getvalue())[1]
    assert refusal(changed(saved(1), **{'code/__torch__.py': b'x = 1'}))[0] == 'unsafe'
    assert 'lazy' in refusal(saved(torch.ones(2, dtype=torch.complex64).conj()))[1]
    assert 'torch.float8_e5m2' in refusal(saved(torch.ones(2).to(torch.float8_e5m2)))[1]


def test_cut_and_incomplete_files():
    """A file that is cut short anywhere, or lacks a member, is refused with a sentence."""
    data = saved({'a': torch.ones(10), 'b': 'text'})
    for length in range(0, len(data) - 1, 7):
        reason, sentence = refusal(data[:length])
        assert reason == 'unreadable'
        assert sentence.startswith('the ')
    assert '`data/0`' in refusal(changed(data, data_0=None))[1]
    assert 'storage' in refusal(changed(data, data_0=b'\0' * 36))[1]
    assert 'before seeing STOP' in refusal(changed(data, data_pkl=b'\x80\x02}q\x00'))[1]


def test_sizes_are_limited(monkeypatch):
    """What unpacks to too much is refused before it is unpacked."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('a/data.pkl', pickle.dumps(1, protocol=2))
        with archive.open('a/data/0', 'w') as member:
            for _ in range(24):
                member.write(bytes(1024**2))
    assert len(buffer.getvalue()) < 50_000
    assert refusal(buffer.getvalue(), limit=16 * 1024**2)[0] == 'too_large'
    assert torch_file.load(buffer.getvalue()) == 1
    assert refusal(saved(torch.ones(1).expand(2**20, 2**20)))[0] == 'too_large'
    assert refusal(saved(torch.ones(10_000).to(torch.bfloat16)), limit=50_000)[0] == 'too_large'
    monkeypatch.setattr(safe_pickle, 'MAX_BYTES', 100)
    assert refusal(saved(['text'] * 100))[0] == 'too_large'


def test_bytes_that_grow_are_limited():
    """A pickle that makes the same bytes again and again is refused."""
    again = b'h\x00h\x01R' * 2000
    text = b'c_codecs\nencode\nq\x00X\x00\x00\x01\x00' + b'a' * 65536 + b'X\x06\x00\x00\x00latin1\x86q\x01R'
    assert refusal(changed(saved(1), data_pkl=b'\x80\x02' + text + again + b'.'), limit=10**7)[0] == 'too_large'


def test_deep_nesting_is_no_crash():
    """A key that is nested a million times is refused before its hash is taken."""
    deep = b'\x80\x02}N' + b'\x85' * 1_000_000 + b'Ns.'
    assert 'key' in refusal(changed(saved(1), data_pkl=deep))[1]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=8))
def test_damaged_pickles(changes):
    """Whatever is changed in a pickle, the file is read or refused with a sentence."""
    data = saved({'a': torch.arange(12).reshape(3, 4).T, 'b': argparse.Namespace(c=np.arange(3), d=torch.Size([2]))})
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        pickled = bytearray(archive.read('archive/data.pkl'))
    for place, value in changes:
        pickled[place % len(pickled)] = value
    with contextlib.suppress(safe_pickle.UnreadableError):
        torch_file.load(changed(data, data_pkl=bytes(pickled)))


def same(read, true) -> bool:
    """Tell whether what was read is what torch reads."""
    if isinstance(true, torch.Tensor):
        return read.shape == tuple(true.shape) and np.array_equal(read, true.detach().numpy(), equal_nan=True)
    if isinstance(true, argparse.Namespace):
        return same(read, vars(true))
    if isinstance(true, dict):
        return list(read) == list(true) and all(same(read[key], true[key]) for key in true)
    if isinstance(true, (list, tuple)):
        return len(read) == len(true) and all(map(same, read, true))
    return bool(read == true)


@pytest.mark.skipif(not DATA.is_dir(), reason='the shared data folder is not beside the checkout')
def test_every_true_file():
    """Outputs and checkpoints of the generators are what torch itself reads; classes of theirs are refused by name."""
    files = sorted(path for path in DATA.rglob('*') if path.suffix in {'.pt', '.ckpt'})
    assert len(files) >= 10
    for path in files:
        data = path.read_bytes()
        if path.name.endswith('_scaler.pt'):
            assert 'StandardScalerTorch' in refusal(data)[1]
            continue
        assert same(torch_file.load(data), torch.load(path, map_location='cpu', weights_only=False)), path.name

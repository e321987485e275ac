"""Make tiny untrained checkpoints with a generator's own code: `python make_checkpoints.py KIND HOME FOLDER`.

KIND is a key of `SETTINGS`; HOME is the clone. The formats are true, the physics is noise. It runs in the Python of
the generator.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

SMALL = [
    'model.decoder.hidden_dim=16', 'model.decoder.num_layers=1', 'model.decoder.num_freqs=4', 'model.time_dim=8',
    'model.timesteps=20',
]  # fmt: skip
# CrysBFN has the table of accuracies for ten steps.
BAYESIAN = [
    'model.decoder.hidden_dim=16', 'model.decoder.num_layers=1', 'model.decoder.num_freqs=4', 'model.time_dim=8',
    'model.hidden_dim=16', 'model.BFN.dtime_loss_steps=10', 'model.BFN.device=cpu',
]  # fmt: skip
SETTINGS = {
    'csp': ['data=mp_20', 'model=diffusion', *SMALL],
    'energy': ['data=mp_20', 'model=energy', *SMALL],
    'energy_fixed': ['data=mp_20', 'model=energy', 'model.update_type=false', *SMALL],
    'diffcsp_pp': ['data=mp_20', 'model=diffusion', *SMALL],
    'diffcsp_pp_open': ['data=mp_20', 'model=diffusion_w_type', *SMALL],
    'crysbfn': ['data=perov', 'model=bfn', *BAYESIAN],
    'crysbfn_csp': ['data=perov', 'model=bfn_csp', *BAYESIAN],
}


def main(kind: str, home: str, folder: str) -> None:
    """Write hparams.yaml, a checkpoint and the two scalers into a new folder."""
    # CrysBFN comes with a file `.env` of another machine, which would win.
    os.environ.update(PROJECT_ROOT=home, HYDRA_JOBS=folder, WABDB_DIR=folder, PYTHON_DOTENV_DISABLED='1')
    sys.path.insert(0, home)
    import hydra
    import torch
    from omegaconf import OmegaConf, open_dict

    torch.manual_seed(0)
    target = Path(folder)
    target.mkdir(parents=True)
    with hydra.initialize_config_dir(str(Path(home) / 'conf'), version_base='1.1'):
        config = hydra.compose('default', overrides=[*SETTINGS[kind], 'expname=tiny'])
    with open_dict(config):
        config.pop('hydra', None)
        config.core = {'version': '0.0.1', 'tags': ['tiny']}
    # A Lightning module: it takes its settings as the scripts of the generator give them.
    model = hydra.utils.instantiate(
        config.model, optim=config.optim, data=config.data, logging=config.logging, _recursive_=False
    )
    OmegaConf.save(config, target / 'hparams.yaml')
    content = {
        'state_dict': model.state_dict(), 'epoch': 9, 'global_step': 10, 'pytorch-lightning_version': '1.3.8',
    }  # fmt: skip
    if kind.startswith('crysbfn'):
        content = {**content, 'callbacks': {}, 'hyper_parameters': dict(model.hparams)}
    torch.save(content, target / 'epoch=9-step=10.ckpt')
    if not kind.startswith('crysbfn'):
        from diffcsp.common.data_utils import StandardScalerTorch

        for name, size in (('lattice_scaler.pt', 6), ('prop_scaler.pt', 1)):
            torch.save(StandardScalerTorch(means=torch.zeros(size), stds=torch.ones(size)), target / name)


if __name__ == '__main__':
    main(*sys.argv[1:])

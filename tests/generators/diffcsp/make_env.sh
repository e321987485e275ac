#!/usr/bin/env bash
# Make a Python environment in which DiffCSP, DiffCSP++ and CrysBFN draw crystals on a CPU, from unmodified clones.
#
#     tests/generators/diffcsp/make_env.sh TARGET [SHARED_PYTHON]
#
# TARGET         folder of the new environment (Python 3.11)
# SHARED_PYTHON  the Python of an environment whose packages (torch, numpy, pymatgen ...) are used, not installed again
#
# Their own pins (Python 3.8, torch 1.9, torch_geometric 1.7.2, pytorch_lightning 1.3.8) are not followed.
# pytorch-lightning stays below 2.1: later ones refuse to load a checkpoint through an instance, as the three tools do.
# It needs pkg_resources, so setuptools stays below 81. torch_scatter, torch_sparse and torch_cluster, which would have
# to be compiled, are replaced by the stand-ins beside this folder, and wandb by one here: enough to draw crystals.
#
# The clones: https://github.com/jiaor17/DiffCSP, https://github.com/jiaor17/DiffCSP-PP (branch `eval`) and
# https://github.com/GenSI-THUAIR/CrysBFN. The tests make tiny untrained checkpoints with `make_checkpoints.py`.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../environment.sh"
# What a shared environment has already is not installed again.
"$python" -m pip install --quiet 'torch>=2.6' numpy scipy pandas networkx scikit-learn pymatgen pyxtal smact tqdm \
    pathos python-dotenv einops chemparse p_tqdm torchmetrics lightning-utilities xxhash 'hydra-core==1.3.2' \
    'omegaconf==2.3.0' torch_geometric 'setuptools<81' matplotlib ase overrides absl-py func_timeout
"$python" -m pip install --quiet --no-deps 'pytorch-lightning==2.0.9.post0' matminer
printf '%s\n' "$here/../stand_ins" "$here/stand_ins" > "$packages/stand_ins.pth"
"$python" -W ignore -c 'import torch_scatter.composite, torch_geometric, pytorch_lightning, hydra.experimental, p_tqdm'
echo "export CRYSTALGEN_DIFFCSP_PYTHON=$python"

#!/usr/bin/env bash
# Make a Python environment in which MatterGen draws crystals on a CPU.
#
#     tests/generators/mattergen/make_env.sh TARGET [SHARED_PYTHON] [CLONE]
#
# TARGET         folder of the new environment (Python 3.10 to 3.13)
# SHARED_PYTHON  the Python of an environment whose packages (torch, numpy, pymatgen ...) are used, not installed again
# CLONE          a clone of microsoft/mattergen; without one the package of PyPI is taken
#
# Its own pins (torch 2.2.1+cu118, numpy < 2) are not followed, and torch_scatter and torch_sparse, which would have to
# be compiled, are replaced by the stand-ins beside this folder: enough to draw crystals, too slow to train.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../environment.sh"
clone=${3:-}
# What a shared environment has already is not installed again.
"$python" -m pip install --quiet 'torch>=2.4' numpy scipy pandas sympy ase pymatgen emmet-core tqdm \
    torch_geometric pytorch-lightning 'hydra-core==1.3.1' 'omegaconf==2.3.0' 'huggingface-hub<1'
if [ -n "$clone" ]; then
    "$python" -m pip install --quiet 'setuptools<81' wheel
    "$python" -m pip install --quiet --no-deps --no-build-isolation -e "$clone"
else
    "$python" -m pip install --quiet --no-deps 'mattergen==1.0.3'
fi
if ! "$python" -c 'import torch_scatter, torch_sparse' 2> /dev/null; then
    echo "$here/../stand_ins" > "$packages/stand_ins.pth"
fi
"$python" -c 'import hydra, torch_scatter, torch_sparse'
echo "export CRYSTALGEN_MATTERGEN_PYTHON=$python"

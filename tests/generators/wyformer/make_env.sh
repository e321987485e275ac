#!/usr/bin/env bash
# Make a Python environment in which WyFormer draws Wyckoff genes on a CPU, from PyPI alone.
#
#     tests/generators/wyformer/make_env.sh TARGET [SHARED_PYTHON]
#
# TARGET         folder of the new environment (Python 3.11 or 3.12)
# SHARED_PYTHON  the Python of an environment whose packages (torch, numpy, pymatgen ...) are used, not installed again;
#                the tests' own, for example
#
# The package asks for Python 3.12 and for much that drawing does not import (datasets, matminer, ipympl): it is
# installed without its dependencies, what it imports is listed here. pandas stays below 3 because pandarallel 1.6.5
# imports a name that pandas 3.1 does not have.
set -euo pipefail
. "$(dirname "$0")/../environment.sh"
# What a shared environment has already is not installed again.
"$python" -m pip install --quiet 'torch>=2.10' 'numpy>=2' 'pandas>=2.1.1,<3' 'omegaconf==2.4.0' 'wandb==0.31.0' \
    'smact>=2.5.5' 'pandarallel>=1.6.5' 'wrapt-timeout-decorator>=1.5.1' 'pymatgen>=2025.10.7' 'pyxtal==1.1.5' 'pydantic>=2.12' \
    'huggingface-hub==2.4.0' 'safetensors>=0.7' pyarrow tqdm
"$python" -m pip install --quiet --no-deps --ignore-requires-python 'wyckoff-transformer==2.3.0'
"$python" -c 'import wyckoff_transformer.trainer'
echo "export CRYSTALGEN_WYFORMER_PYTHON=$python"

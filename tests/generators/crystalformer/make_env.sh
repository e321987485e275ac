#!/usr/bin/env bash
# Make a Python environment in which CrystalFormer draws crystals on a CPU (JAX).
#
#     tests/generators/crystalformer/make_env.sh TARGET [SHARED_PYTHON]
#
# TARGET         folder of the new environment (Python 3.11 to 3.13)
# SHARED_PYTHON  the Python of an environment whose packages (numpy, pandas, pymatgen, pyxtal) are used, not installed again
#
# CrystalFormer itself is not on PyPI: clone it, and set CRYSTALFORMER_HOME to the clone. dm-haiku 0.0.14, which it pins,
# does not go with jax 0.6 and newer.
set -euo pipefail
. "$(dirname "$0")/../environment.sh"
"$python" -m pip install --quiet 'jax==0.10.2' 'dm-haiku==0.0.17' optax pandas pymatgen pyxtal spglib
"$python" -c 'import haiku, jax, optax, pyxtal'
echo "export CRYSTALGEN_CRYSTALFORMER_PYTHON=$python"

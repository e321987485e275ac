# The head of every make_env.sh, to be sourced: makes the environment TARGET ($1), with the packages of SHARED_PYTHON
# ($2) if that is given, and sets `target`, `python` and `packages` (its folder of packages).
target=$1
shared=${2:-}
"${shared:-${PYTHON:-python3}}" -m venv "$target"
python=$target/bin/python
packages=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
if [ -n "$shared" ]; then
    "$shared" -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > "$packages/shared.pth"
fi

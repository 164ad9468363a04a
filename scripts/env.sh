# Shared by the scripts beside it: where the project is, and how its environment is made.
# shellcheck shell=bash

ROOT="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)"
VENV="$ROOT/.venv"
BIN="$VENV/bin"
STAMP="$VENV/.installed"

say() { printf '%s\n' "$*" >&2; }

fail() {
  say "error: $*"
  exit 1
}

# Prints the first interpreter that is 3.11 or newer.
find_python() {
  local name
  for name in "${PYTHON:-}" python3.11 python3 python3.12 python3.13; do
    if [[ -n "$name" ]] && command -v "$name" >/dev/null 2>&1 &&
      "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$name"
      return
    fi
  done
  fail "Python 3.11 or newer is needed and was not found; set PYTHON to its path"
}

# install_packages NAME...: through apt as root on Debian; false when that is not possible.
install_packages() {
  [[ "$(id -u)" == 0 ]] && command -v apt-get >/dev/null 2>&1 || return 1
  say "installing $* with apt-get"
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"; } >&2
}

# Bubblewrap holds user code; without it everything works, with resource limits alone.
ensure_sandbox() {
  command -v bwrap >/dev/null 2>&1 || install_packages bubblewrap ||
    say "warning: bubblewrap is missing, so user code runs without a sandbox; as root: apt-get install bubblewrap"
}

make_venv() {
  local python
  python="$(find_python)"
  # Without ensurepip (Debian's python3 has it in a package of its own) no usable environment can be made.
  if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    local version
    version="$("$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')"
    install_packages "$version-venv" || install_packages python3-venv ||
      fail "Python's venv is missing; as root: apt-get install $version-venv"
  fi
  say "making .venv with $python"
  "$python" -m venv --clear "$VENV" || fail "the environment $VENV could not be made"
}

# True if .venv holds Hookline with this extra as pyproject.toml wants it now.
is_installed() {
  local have
  [[ -x "$BIN/hookline" && -f "$STAMP" ]] || return 1
  have="$(cat "$STAMP")"
  [[ "$have" == "$(wanted_stamp dev)" || "$have" == "$(wanted_stamp "$1")" ]]
}

wanted_stamp() {
  printf '%s %s' "$(sha256sum <"$ROOT/pyproject.toml" | cut -d' ' -f1)" "$1"
}

# ensure_environment [EXTRA]: .venv with Hookline (editable) and the extra's packages; quick when nothing changed.
ensure_environment() {
  local extra="${1:-}"
  is_installed "$extra" && return
  "$BIN/python" -m pip --version >/dev/null 2>&1 || "$BIN/python" -m ensurepip >/dev/null 2>&1 || make_venv
  say "installing Hookline and what it needs into .venv"
  local -a target=(--editable "$ROOT${extra:+[$extra]}")
  if ! { "$BIN/python" -m pip install --quiet --disable-pip-version-check uv &&
    "$BIN/uv" pip install --quiet --python "$BIN/python" "${target[@]}"; } >&2; then
    say "uv could not install; trying pip"
    "$BIN/python" -m pip install --quiet --disable-pip-version-check "${target[@]}" >&2
  fi
  wanted_stamp "$extra" >"$STAMP"
}

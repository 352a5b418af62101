# h5py and Octave read every documented field of a simulation and of a decomposition
. "$SOURCE/tests/cli/lib.sh"

# shellcheck disable=SC2086  # $tiny is several words
run 0 simulate quick -o sim.h5 $tiny --set output.clean=true --set output.noise=true --seed 3
run 0 decompose sim.h5 -o dec.h5

# other EXPECTED_OUTPUT COMMAND...: another program runs and prints this last
other() {
  expected=$1
  shift
  n_checks=$((n_checks + 1))
  last="$1 on our files"
  "$@" >"$out" 2>"$err" || fail "$last fails"
  [ "$(tail -1 "$out")" = "$expected" ] || { fail "$last does not end with '$expected'"; tail -3 "$out"; }
}

python=/usr/bin/python3
if "$python" -c 'import h5py' 2>/dev/null; then
  other "fields read" "$python" "$SOURCE/tests/cli/read_fields.py" sim.h5 dec.h5
else
  echo "SKIPPED: no h5py for $python"
fi
if command -v octave-cli >/dev/null 2>&1; then
  other "fields read" octave-cli --norc --quiet "$SOURCE/tests/cli/read_fields.m" sim.h5 dec.h5
else
  echo "SKIPPED: no octave-cli"
fi

finish

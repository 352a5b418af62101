# convert: every format from a simulation and from a decomposition, refusals, and other programs
. "$SOURCE/tests/cli/lib.sh"

# shellcheck disable=SC2086  # $tiny is several words
run 0 simulate quick -o sim.h5 $tiny --seed 5
run 0 convert --list
says "openhdemg-json"
run 0 convert --list --json
is_json

# all that hold units give them back one by one: agreement 1 with the truth
for out_name in a.json a_decomp.mat a_events.tsv again.h5; do
  run 0 convert sim.h5 "$out_name"
  run 0 score "$out_name" --truth sim.h5 --min-roa 1
done
run 0 convert sim.h5 a.mat --to demuse
run 0 score a.mat --truth sim.h5 --min-roa 1
run 0 convert sim.h5 module --to openhdemg
run 0 score module --truth sim.h5 --min-roa 1
run 0 convert sim.h5 set --to bids
run 0 score set/derivatives/emgtwin/sub-01/emg/*_events.tsv --truth sim.h5 --min-roa 1
run 0 convert sim.h5 a.csv
run 0 convert a.csv b.h5 --rate '2048 Hz'
run 0 score b.h5 --truth sim.h5 --min-roa 1
for recording in a.json a_decomp.mat a.mat module set a.csv; do
  run 0 inspect "$recording" --json
  is_json
done
run 0 validate a.json module a_decomp.mat a.mat set a_events.tsv

# signals alone, and what becomes of them
run 0 convert sim.h5 a.edf --json
is_json
says '"step_uv"'
run 0 convert sim.h5 a.bdf
grep -q "note: bdf does not hold" "$err" || fail "what BDF does not hold is not said"
run 0 convert a.edf from_edf.h5
run 0 inspect from_edf.h5

# a decomposition and its recording are two files
run 0 decompose sim.h5 -o dec.h5
run 0 convert dec.h5 d.json --emg sim.h5
run 0 convert dec.h5 d_events.tsv --code-url https://example.org/code
grep -q '"CodeURL": "https://example.org/code"' d_log.json || fail "the run log has no address"
refused 2 "--emg" convert dec.h5 e.json
no_trace e.json
run 0 simulate quick -o other.h5 --set simulation.duration_s=2 --set pool.units=4 --seed 6
refused 4 "do not belong together" convert dec.h5 e.json --emg other.h5
no_trace e.json
refused 2 "leave --emg out" convert sim.h5 e.json --emg other.h5

# names and files that are there
refused 2 "--to" convert sim.h5 a2.mat
refused 2 "there is no format" convert sim.h5 x --to matlab
refused 2 "needs IN and OUT" convert sim.h5
refused 5 "exists already" convert sim.h5 a.json
refused 5 "exists already" convert sim.h5 set --to bids
run 0 convert sim.h5 set --to bids --force
mkdir mine
touch mine/diary
refused 5 "holds other things" convert sim.h5 mine --to openhdemg --force
holds -f mine/diary
refused 2 "named ..._events.tsv" convert sim.h5 x.tsv --to muniverse
refused 5 "no folder" convert sim.h5 nowhere/a.json
head -c 1000 a.json >cut.json
refused 4 "cut short" convert cut.json cut.h5
no_trace cut.h5

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
if "$python" -c 'import json' 2>/dev/null; then
  n_units=$(cut -f 4 a_events.tsv | sort -u | grep -c '[0-9]')
  other "$n_units units pass" "$python" "$SOURCE/tests/cli/check_events.py" a_events.tsv 2048
else
  echo "SKIPPED: no $python"
fi
if "$python" -c 'import h5py' 2>/dev/null; then
  other "fields read" "$python" "$SOURCE/tests/cli/read_muedit.py" a_decomp.mat sim.h5
else
  echo "SKIPPED: no h5py for $python"
fi
if command -v octave-cli >/dev/null 2>&1; then
  other "fields read" octave-cli --norc --quiet "$SOURCE/tests/cli/read_demuse.m" a.mat sim.h5
else
  echo "SKIPPED: no octave-cli"
fi

finish

# lib.sh -- helpers of the command line tests. A test sources this, calls the helpers, ends with finish.
#
# EMGTWIN is the program, JSON_CHECK a strict JSON checker, SOURCE the source tree.
set -u
: "${EMGTWIN:?}" "${JSON_CHECK:?}" "${SOURCE:?}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
out=$work/.out
err=$work/.err
n_failed=0
n_checks=0

# a small subject, for tests that need a recording rather than this or that one
tiny="--set simulation.duration_s=3 --set pool.units=6 --set muscle.fibre_count=300 \
--set electrodes.rows=4 --set electrodes.columns=3 --set drive.ramp_up_s=0.5 --set drive.hold_s=2"

fail() {
  n_failed=$((n_failed + 1))
  echo "FAILED: $*"
  [ -s "$err" ] && sed 's/^/  stderr: /' "$err" | head -5
}

# run EXPECTED_EXIT_CODE ARGUMENTS...: output in $out and $err
run() {
  expected=$1
  shift
  "$EMGTWIN" "$@" >"$out" 2>"$err"
  code=$?
  n_checks=$((n_checks + 1))
  last="emgtwin $*"
  [ $code -eq "$expected" ] || fail "'$last' exits with $code, not $expected"
}

# refused EXPECTED_EXIT_CODE TEXT ARGUMENTS...: nothing on stdout, one line on stderr that holds TEXT
refused() {
  expected=$1 text=$2
  shift 2
  run "$expected" "$@"
  [ ! -s "$out" ] || fail "'$last' prints results and an error"
  [ "$(wc -l <"$err")" -eq 1 ] || fail "'$last' does not say what is wrong in one line"
  grep -q '^emgtwin: .*error: ' "$err" || fail "'$last' has no 'emgtwin: ... error: '"
  grep -qF -- "$text" "$err" || fail "'$last' does not say '$text'"
}

# says TEXT: the last run printed it
says() {
  n_checks=$((n_checks + 1))
  grep -qF -- "$1" "$out" || fail "'$last' does not print '$1'"
}

# is_json: the last run printed one JSON document and nothing else
is_json() {
  n_checks=$((n_checks + 1))
  "$JSON_CHECK" <"$out" || fail "'$last' prints no clean JSON"
}

# holds CONDITION...: a test(1) condition
holds() {
  n_checks=$((n_checks + 1))
  [ "$@" ] || fail "not so: $* (after '$last')"
}

# no_trace FILE: neither the file nor a part of it is there
no_trace() {
  n_checks=$((n_checks + 1))
  set -- "$1" "$1".part.*
  { [ ! -e "$1" ] && [ ! -e "$2" ]; } || fail "'$last' leaves $* behind"
}

finish() {
  echo "$n_checks checks, $n_failed failed"
  [ $n_failed -eq 0 ] && [ $n_checks -gt 0 ]
  exit $?
}

# outputs are whole or not there, results are clean, and nothing is replaced unasked
. "$SOURCE/tests/cli/lib.sh"

# shellcheck disable=SC2086  # $tiny is several words
run 0 simulate quick -o a.h5 $tiny --json
is_json
run 0 simulate a.h5 -o b.h5
says "b.h5: 12 channels"

# a file holds what makes it again
"$EMGTWIN" inspect a.h5 --hash | grep -v ' provenance/' >a.sha
"$EMGTWIN" inspect b.h5 --hash | grep -v ' provenance/' >b.sha
grep '^[0-9a-f]\{64\}' a.sha >a.only
grep '^[0-9a-f]\{64\}' b.sha >b.only
holds "$(wc -l <a.only)" -gt 20
cmp -s a.only b.only || fail "a recording made from another's own configuration differs from it"

cp a.h5 kept.h5
refused 5 "exists" simulate quick -o a.h5
cmp -s a.h5 kept.h5 || fail "a file was touched without --force"
refused 2 "is the input itself" simulate a.h5 -o a.h5 --force
refused 2 "is the input itself" decompose a.h5 -o ./a.h5 --force
cmp -s a.h5 kept.h5 || fail "an input was replaced"
refused 5 "missing/x.h5: error: " simulate quick -o missing/x.h5
refused 5 "is a folder" simulate quick -o "$work"
if [ "$(id -u)" -ne 0 ]; then
  mkdir locked
  chmod 555 locked
  refused 5 "locked" simulate quick -o locked/x.h5
fi

# a disk that is full: the limit on file size stands in for it
run 0 init quick -o c.yaml
n_checks=$((n_checks + 1))
# shellcheck disable=SC2086
(ulimit -f 8 && "$EMGTWIN" simulate quick -o full.h5 $tiny) >"$out" 2>"$err"
[ $? -eq 5 ] || fail "a file that cannot be written whole does not exit with 5"
last="simulate on a full disk"
holds "$(wc -l <"$err")" -eq 1
no_trace full.h5

# standard output that cannot be written
if [ -e /dev/full ]; then
  n_checks=$((n_checks + 1))
  "$EMGTWIN" inspect a.h5 --json >/dev/full 2>"$err"
  [ $? -eq 5 ] || fail "a full standard output does not exit with 5"
  holds "$(wc -l <"$err")" -eq 1
fi
n_checks=$((n_checks + 1))
"$EMGTWIN" init quick >&- 2>"$err"
[ $? -eq 5 ] || fail "a closed standard output does not exit with 5"
{ "$EMGTWIN" explain --json 2>"$err"; echo $? >code; } | true
n_checks=$((n_checks + 1))
case $(cat code) in 0 | 5) ;; *) fail "a closed pipe exits with $(cat code)" ;; esac

# files that are not what they should be
: >empty.h5
refused 4 "empty.h5" inspect empty.h5
head -c 3000 a.h5 >cut.h5
refused 4 "cut.h5" inspect cut.h5
refused 4 "cut.h5" decompose cut.h5 -o x.h5
refused 4 "cut.h5" score cut.h5 --truth a.h5
refused 4 "cut.h5" report cut.h5 -o x.html
refused 5 "none.h5" inspect none.h5
refused 5 "none.h5" decompose none.h5 -o x.h5
refused 5 "none.h5" score none.h5 --truth a.h5
refused 5 "none.h5" score a.h5 --truth none.h5
no_trace x.h5
no_trace x.html

# a pipe that nobody writes to holds nothing up
mkfifo pipe.h5
for command in inspect validate "decompose -o x.h5" "simulate -o x.h5" "report -o x.html" "score --truth a.h5"; do
  # shellcheck disable=SC2086
  refused 5 "neither a file nor a folder" $command pipe.h5
done
no_trace x.h5

# a rate that is not stated: looking needs none and says so, working with it is refused
bare=$SOURCE/tests/fuzz/corpus/mat/flexemg.mat
run 0 inspect "$bare"
says "sampling rate not stated"
says "--rate"
run 0 inspect "$bare" --json
is_json
says '"sampling_rate_hz": null'
run 0 validate "$bare"
says "--rate"
refused 4 "--rate" decompose "$bare" -o x.h5
refused 4 "--rate" report "$bare" -o x.html
run 0 inspect "$bare" --rate 1000
says "at 1000 Hz"
no_trace x.h5
no_trace x.html

printf 'onset\tunit_id\n0.5\t1\n0.75\t1\n1.0\t1\n' >times.tsv
refused 4 "--rate" score times.tsv --truth a.h5
refused 4 "--rate" validate times.tsv
run 0 score times.tsv --truth times.tsv --rate '1 kHz' --min-roa 1 --json
is_json
run 0 validate times.tsv --rate 1000

# no unit found is an answer: a file with empty arrays that every command takes
run 0 decompose a.h5 -o none_found.h5 --set decompose.sil_min=1
run 0 inspect none_found.h5
says "found       0 units"
run 0 validate none_found.h5
run 0 score none_found.h5 --truth a.h5 --json
is_json
run 0 report a.h5 none_found.h5 -o none_found.html

finish

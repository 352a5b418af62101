# decompositions corrected by hand: in place, recorded, undone to the last bit, whole or not at all
. "$SOURCE/tests/cli/lib.sh"

subject="--set simulation.duration_s=6 --set pool.units=8 --set muscle.fibre_count=400 \
--set electrodes.rows=6 --set electrodes.columns=4 --set drive.ramp_up_s=0.5 --set drive.hold_s=5"
# shellcheck disable=SC2086  # several words
run 0 simulate quick -o rec.h5 $subject
# shellcheck disable=SC2086
run 0 simulate quick -o other.h5 $subject --seed 99
run 0 decompose rec.h5 -o first.h5 --set decompose.batch=16 --set decompose.rounds=2 \
  --set decompose.validated_sil_min=0
says "   2  "

# digest FILE: of every dataset but the log of edits
digest() {
  "$EMGTWIN" inspect "$1" --hash | grep '^[0-9a-f]\{64\}' | grep -v ' edit/'
}
whole_digest() {
  "$EMGTWIN" inspect "$1" --hash | grep '^[0-9a-f]\{64\}'
}
same() {
  n_checks=$((n_checks + 1))
  cmp -s "$1" "$2" || fail "$1 and $2 differ: $3"
}

# what needs the recording says so, and the recording must be the one
cp first.h5 d.h5
refused 2 "give it with --emg" edit d.h5 re-estimate 0
refused 4 "is not the recording that was decomposed" edit d.h5 --emg other.h5 re-estimate 0
refused 2 "no operation given" edit d.h5 --emg rec.h5
refused 2 "there is no unit 77; the units are 0 to" edit d.h5 --emg rec.h5 delete 77 1..2
refused 2 "no spikes in the range" edit d.h5 --emg rec.h5 delete 0 1..1.001
refused 2 "did you mean 'merge'" edit d.h5 --emg rec.h5 lock 0 merg 0 1
refused 2 "there is nothing to undo" edit d.h5 --undo
refused 2 "cancel each other" edit d.h5 --undo --redo
refused 2 "leave out 'lock'" edit d.h5 --log lock 0
refused 5 "none.h5" edit none.h5 lock 0
refused 5 "none.h5" edit d.h5 --emg none.h5 re-estimate 0
refused 4 "holds no decomposition" edit rec.h5 lock 0
head -c 3000 d.h5 >cut.h5
refused 4 "cut.h5" edit cut.h5 lock 0
: >empty.h5
refused 4 "empty.h5" edit empty.h5 lock 0
refused 5 "exists" edit d.h5 -o other.h5 lock 0
refused 2 "is the input itself" edit d.h5 -o ./d.h5 --force lock 0
refused 2 "is the recording itself" edit d.h5 --emg rec.h5 -o ./rec.h5 --force re-estimate 0
same d.h5 first.h5 "after refusals"
no_trace d.h5.none

# an operation that fails after others leaves the file as it was
refused 2 "unit 1 is locked; unlock it first" edit d.h5 --emg rec.h5 re-estimate 0 lock 1 delete 1 1..2
same d.h5 first.h5 "after a failure on the way"

# in place, one call after the other; the same in one call, and from a script
run 0 edit d.h5 --emg rec.h5 delete 1 1..2
says "  before     1"
says "  after      1"
run 0 edit d.h5 --emg rec.h5 re-estimate 1
run 0 edit d.h5 --emg rec.h5 split 0 at 3
run 0 edit d.h5 lock 1 --json
is_json
says '"operation": "lock 1"'
says '"locked": true'
run 0 edit d.h5 --log
says "   4  done    lock 1: unit 1"
run 0 edit d.h5 --log --json
is_json
cp first.h5 call.h5
run 0 edit call.h5 --emg rec.h5 --threads 1 delete 1 1..2 re-estimate 1 split 0 at 3 lock 1
cat >script.txt <<'EOF'
# a comment, and a line without words

delete 1 1..2
	re-estimate 1   # at the end too
split 0 at 3
lock 1
EOF
run 0 edit first.h5 --emg rec.h5 --script script.txt -o script.h5
run 0 edit first.h5 --emg rec.h5 --script - -o stdin.h5 <script.txt
tr '\n' '\r' <script.txt | sed 's/\r/\r\n/g' >dos.txt
run 0 edit first.h5 --emg rec.h5 --script dos.txt -o dos.h5
for file in d call script stdin dos; do
  whole_digest $file.h5 >$file.sha
done
holds "$(grep -c ' edit/' d.sha)" -gt 10
grep -q ' units/source' d.sha && fail "a source appears where none was kept"
same d.sha call.sha "one call or several"
same d.sha script.sha "a script or calls"
same d.sha stdin.sha "standard input or calls"
same d.sha dos.sha "lines of another system"
digest first.h5 >first.sha
cmp -s first.sha d.sha && fail "edits change nothing"

# mistakes in a script are found by line, and nothing is written
printf 'lock 0\n\nlock 0 lock 1\n' >two.txt
refused 2 "two.txt:3: error: 'lock' begins a second operation" edit d.h5 --script two.txt
printf 'lock 0\nmerge 0 1\n' >locked.txt
refused 2 "locked.txt:2: error: unit 0 is locked" edit d.h5 --emg rec.h5 --script locked.txt
printf 'lock 0\n\000\n' >nul.txt
refused 4 "nul.txt: error: the script is not text" edit d.h5 --script nul.txt
printf '# nothing\n' >nothing.txt
refused 2 "holds no operation" edit d.h5 --script nothing.txt
refused 2 "not from both" edit d.h5 --script script.txt lock 0
refused 5 "none.txt" edit d.h5 --script none.txt
whole_digest d.h5 | cmp -s - d.sha || fail "a script that fails writes"

# undone and done again, without the recording
run 0 edit d.h5 --undo 2
run 0 edit d.h5 --undo 2 --json
is_json
says '"undone": 4'
digest d.h5 >undone.sha
same first.sha undone.sha "not undone to the last bit"
refused 2 "all edits are undone" edit d.h5 --undo
run 0 edit d.h5 --redo 4
whole_digest d.h5 | cmp -s - call.sha || fail "not done again to the last bit"
run 0 inspect d.h5
says "edited      4 operations by hand (0 undone)"
run 0 inspect d.h5 --json
is_json
says '"done": 4'
run 0 validate d.h5
run 0 score d.h5 --truth rec.h5

# another recording of the same shape, if it must be; nothing to do writes nothing
cp first.h5 forced.h5
run 0 edit forced.h5 --emg other.h5 --force re-estimate 0 keep
cp first.h5 idle.h5
run 0 edit idle.h5 --emg rec.h5 unlock 0
says "nothing to do"
same idle.h5 first.h5 "written without need"

# a disk that is full
cp first.h5 full.h5
n_checks=$((n_checks + 1))
(ulimit -f 8 && "$EMGTWIN" edit full.h5 lock 0) >"$out" 2>"$err"
[ $? -eq 5 ] || fail "a file that cannot be written whole does not exit with 5"
last="edit on a full disk"
same full.h5 first.h5 "after a full disk"
for part in full.h5.part.*; do
  [ -e "$part" ] && fail "$part is left behind"
done

finish

# the main job on the preset quick: simulate, decompose, score, report, and every --json of it
. "$SOURCE/tests/cli/lib.sh"

run 0 simulate quick -o quick.h5
says "quick.h5: "
run 0 decompose quick.h5 -o found.h5 --json
is_json
says '"method": "ckc"'

run 0 score found.h5 --truth quick.h5
says "chance"
says "active"
run 0 score found.h5 --truth quick.h5 --json
is_json
says '"chance_roa"'
run 0 score found.h5 --truth quick.h5 --preset muniverse --json
says '"match_by": "f1"'
run 0 score found.h5 --truth quick.h5 --min-roa 0.5
run 6 score found.h5 --truth quick.h5 --min-roa 1 --tol 0ms
holds "$(wc -l <"$err")" -eq 1
run 6 score found.h5 --truth quick.h5 --min-roa 1 --tol 0ms --json
is_json
# the truth against itself
run 0 score quick.h5 --truth quick.h5 --json --set score.max_lag_ms=0
is_json

run 0 inspect quick.h5
says "65 EMG channels"
says "truth"
says "2048 Hz"
run 0 inspect quick.h5 --json --hash
is_json
says '"sampling_rate_hz": 2048'
says '"emg/data": "'
run 0 inspect found.h5 --json
is_json
run 0 validate quick.h5 found.h5 --json
is_json

run 0 report quick.h5 found.h5 -o report.html --json
is_json
holds -s report.html
grep -q "default-src 'none'" report.html || fail "the page has no policy"
grep -qi '<script' report.html && fail "the page has a script"
grep -qE '(src|href)="?(https?:|//)' report.html && fail "the page loads from elsewhere"
grep -qiE '[^a-z](nan|inf)[^a-z]' report.html && fail "the page shows a number that is none"
run 0 report quick.h5 -o truth.html
run 0 report found.h5 -o found.html
refused 2 "second recording" report quick.h5 quick.h5 -o twice.html
refused 5 "exists" report quick.h5 -o report.html

# what comes from outside is escaped
cp quick.h5 '<b>x&y.h5'
run 0 report '<b>x&y.h5' -o escaped.html
grep -q '&lt;b&gt;x&amp;y.h5' escaped.html || fail "the file name is not escaped"
grep -q '<b>x' escaped.html && fail "the file name is markup"

finish

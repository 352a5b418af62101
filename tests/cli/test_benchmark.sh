# suites: benchmark
. "$SOURCE/tests/cli/lib.sh"

cat >suite.yaml <<'YAML'
simulation: {duration_s: 2}
pool: {units: 6}
muscle: {fibre_count: 300}
electrodes: {rows: 4, columns: 4}
drive: {profile: constant, level: 0.8}
benchmark:
  question: "<script>alert('which?')</script>"
  axes: [sensor.snr_db = 20 | 30]
  cells:
    - "no such = grid: simulate electrodes.rotation_deg = 5, told conductor.fat_thickness_mm = 4"
    - "online: benchmark.methods = ckc_online"
  methods: search oracle
  reference: search
  seeds: 1
  online_s: 2
YAML
run 0 validate suite.yaml
run 0 benchmark suite.yaml --dry-run
says "4 conditions, 7 cells, 0 of them done"
run 0 benchmark suite.yaml --dry-run --json
is_json
# the suites there are can be run
for suite in "$SOURCE"/configs/bmiss2025.yaml "$SOURCE"/configs/bmiss_short.yaml \
  "$SOURCE"/validation/bmiss_muscles.yaml; do
  run 0 benchmark "$suite" --dry-run
  run 0 benchmark "$suite" --smoke --dry-run
done
run 0 benchmark --list
says "oracle"

run 0 benchmark suite.yaml -o whole --threads 2 --json
is_json
says '"failed": 0'
holds "$(wc -l <whole/results.csv)" -eq 8
grep -qi 'nan' whole/*.csv && fail "a table holds NaN"
holds ! -e whole/recordings
# the page names what it is about, and nothing in it can act
grep -q "&lt;script&gt;alert" whole/report.html || fail "the page does not show the question"
grep -qi '<script' whole/report.html && fail "a question becomes a script"
grep -q "default-src 'none'" whole/report.html || fail "the page has no policy"
grep -qi 'nan' whole/report.html && fail "the page holds NaN"

# interrupted and resumed, and one worker in place of two: the same bytes
"$EMGTWIN" benchmark suite.yaml -o cut --threads 1 >"$out" 2>"$err" &
pid=$!
for _ in $(seq 200); do
  [ -n "$(ls cut/cells 2>/dev/null)" ] && break
  sleep 0.05
done
kill -INT $pid
wait $pid
holds $? -eq 130
grep -q "goes on from here" "$err" || fail "an interrupted suite does not say how to go on"
holds "$(find cut -name '*.part.*' | wc -l)" -eq 0
holds ! -e cut/results.csv
run 0 benchmark suite.yaml -o cut --threads 1 --json
grep -q '"done_before": 0,' "$out" && fail "a resumed suite starts anew"
for file in results.csv units.csv summary.csv results.h5; do
  n_checks=$((n_checks + 1))
  cmp -s whole/$file cut/$file || fail "$file differs after an interruption"
done
run 0 benchmark suite.yaml -o cut --json
says '"done_before": 7,'

# a method that fails is a row; the others go on
run 0 benchmark suite.yaml -o failing --set "benchmark.methods=search invert" \
  --set "benchmark.axes=" --set "benchmark.cells=wrong grid: told electrodes.rows = 5" --json
says '"failed": 1'

grep -q '16 channels' failing/results.csv || fail "a method that fails does not say why"

# folders and suites that are not ours
mkdir other
echo mine >other/file
refused 5 "other things" benchmark suite.yaml -o other
refused 5 "another suite" benchmark suite.yaml -o whole --set benchmark.seeds=2
# names of folders are only names
run 0 benchmark suite.yaml -o 'a "<b>&$(x)' --set benchmark.methods=search --set benchmark.cells= --json
is_json
holds -e 'a "<b>&$(x)/report.html'
refused 5 "folder" benchmark suite.yaml -o no/such/folder
refused 2 "-o DIR" benchmark suite.yaml
refused 3 "ckk" benchmark suite.yaml -o more --set "benchmark.methods=ckk"
refused 3 "pool.unit" benchmark suite.yaml -o more --set "benchmark.axes=pool.unit = 3"
holds ! -e more
refused 3 "suite.yaml" benchmark suite.yaml -o more --set "benchmark.cells=x: pool.units = many"

finish

# filters of a decomposition on other data: files, streams, and what is refused; tracking
. "$SOURCE/tests/cli/lib.sh"

run 0 simulate quick -o first.h5 --set simulation.duration_s=8 --set pool.units=20
run 0 decompose first.h5 -o found.h5 --set decompose.rounds=1 --set decompose.batch=32
run 0 simulate quick -o next.h5 --set simulation.duration_s=5 --set pool.units=20 \
  --set drive.level=0.21

# a file and a stream of it give the same discharges
run 0 decompose next.h5 --filters found.h5 -o next_found.h5 --json
is_json
says '"method": "filters"'
tr -d ' \n' <"$out" | tr ',' '\n' | sed -n 's/^"spikes"://p' >counts
n_spikes=$(awk '{ n += $1 } END { print n + 0 }' counts)
holds "$n_spikes" -gt 20
run 0 decompose next.h5 --filters found.h5 --stream
holds "$(wc -l <"$out")" -eq "$n_spikes"
holds "$(grep -cE '^[0-9]+ [0-9]+ [0-9]+\.[0-9]{6}$' "$out")" -eq "$n_spikes"
run 0 decompose next.h5 --filters found.h5 --stream --json
head -1 "$out" >line
n_checks=$((n_checks + 1))
"$JSON_CHECK" <line || fail "a line of the stream is no JSON"
run 0 decompose next.h5 --filters found.h5 --adapt -o adapted.h5

# raw samples: silence has no discharges, an end within a sample is bad data
head -c $((65 * 4 * 3000)) /dev/zero >silence.raw
n_checks=$((n_checks + 3))
"$EMGTWIN" decompose - --filters found.h5 --stream <silence.raw >"$out" 2>"$err" ||
  fail "silence is refused"
[ ! -s "$out" ] || fail "silence has discharges"
head -c 1001 silence.raw | "$EMGTWIN" decompose - --filters found.h5 --stream >"$out" 2>"$err"
[ $? -eq 4 ] || fail "a stream that ends within a sample is accepted"
grep -q 'whole samples' "$err" || fail "it is not said what is wrong with the stream"

# what does not go together
refused 2 '--filters' decompose next.h5 --stream
refused 2 '--filters' decompose next.h5 --adapt -o x.h5
refused 2 '--quick' decompose next.h5 --filters found.h5 --quick -o x.h5
refused 2 '--output' decompose next.h5
refused 2 '--output' decompose next.h5 --filters found.h5 --stream -o x.h5
refused 2 '--stream' decompose - --filters found.h5 -o x.h5
refused 4 'next.h5' decompose first.h5 --filters next.h5 -o x.h5
# shellcheck disable=SC2086  # several words
run 0 simulate quick -o other.h5 $tiny
refused 4 '12 channels' decompose other.h5 --filters found.h5 -o x.h5
refused 4 '12 channels' decompose other.h5 --filters found.h5 --stream
no_trace x.h5

# tracking: a file to itself is the identity
run 0 track found.h5 found.h5 --json
is_json
run 0 track found.h5 next_found.h5 --emg-b next.h5
says 'chance'
refused 4 'samples' track found.h5 next_found.h5 --emg-b first.h5
refused 5 'nowhere.h5' track found.h5 nowhere.h5

finish

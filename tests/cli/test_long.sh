# a recording longer than the memory allowed: block by block, interrupted and resumed to the same bits
. "$SOURCE/tests/cli/lib.sh"

long="--set decompose.memory_mib=140 --set decompose.block_s=5 --set decompose.learn_s=5 \
--set decompose.rounds=1 --set decompose.batch=24"
# shellcheck disable=SC2086  # several words each
{
  run 0 simulate quick -o in.h5 $tiny --set simulation.duration_s=45 --set drive.hold_s=44 \
    --set electrodes.rows=8
  run 0 decompose in.h5 -o straight.h5 -v $long
}
grep -q 'are followed in .* blocks' "$err" || fail "the recording is not followed"
holds ! -e straight.h5.checkpoint
run 0 inspect straight.h5

hashes() {
  "$EMGTWIN" inspect "$1" --hash | grep '^[0-9a-f]\{64\}  '
}
hashes straight.h5 >straight.sha
holds "$(wc -l <straight.sha)" -gt 6

# stopped at the first checkpoint by a signal, with and without time to clean up, and gone on with
for signal in INT KILL; do
  # shellcheck disable=SC2086
  "$EMGTWIN" decompose in.h5 -o out.h5 $long >"$out" 2>"$err" &
  pid=$!
  while [ ! -e out.h5.checkpoint ] && kill -0 $pid 2>/dev/null; do
    sleep 0.02
  done
  kill -$signal $pid 2>/dev/null
  wait $pid
  code=$?
  last="decompose, signal $signal"
  no_trace out.h5
  if [ $signal = INT ]; then
    holds $code -eq 130
    grep -q -- '--resume goes on' "$err" || fail "$last: no word of --resume"
    set -- out.h5.checkpoint.part.*
    holds ! -e "$1"
    # not with another configuration, and not of another recording
    # shellcheck disable=SC2086
    {
      refused 3 'another configuration' decompose in.h5 -o out.h5 $long --resume --seed 7
      run 0 simulate quick -o other.h5 $tiny --set simulation.duration_s=45 \
        --set drive.hold_s=44 --set electrodes.rows=8 --seed 5
      refused 4 'another recording' decompose other.h5 -o out.h5 $long --resume
    }
  fi
  holds -e out.h5.checkpoint
  # shellcheck disable=SC2086
  run 0 decompose in.h5 -o out.h5 $long --resume
  hashes out.h5 >out.sha
  n_checks=$((n_checks + 1))
  diff straight.sha out.sha >"$err" || fail "$last: resumed differs from straight"
  holds ! -e out.h5.checkpoint
  rm -f out.h5
done

# what is there is named, replaced without --resume, refused if damaged
head -c 3000 straight.h5 >out.h5.checkpoint
# shellcheck disable=SC2086
{
  refused 4 'checkpoint' decompose in.h5 -o out.h5 $long --resume
  run 0 decompose in.h5 -o out.h5 $long
}
grep -q 'of an earlier run is replaced' "$err" || fail "the checkpoint is not mentioned"
# nothing to go on from
# shellcheck disable=SC2086
run 0 decompose in.h5 -o out.h5 $long --resume --force
grep -q 'starting from the beginning' "$err" || fail "no word that there is no checkpoint"

finish

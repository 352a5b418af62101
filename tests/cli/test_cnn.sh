# networks: train, apply, resume, and what is refused
. "$SOURCE/tests/cli/lib.sh"

short="--set cnn.epochs=2 --set cnn.window=60"

# shellcheck disable=SC2086  # several words
{
  run 0 simulate quick -o rec.h5 $tiny
  run 0 train rec.h5 --labels rec.h5 --truth -o net.h5 $short --json
  is_json
  says '"network": "multilabel"'
  no_trace net.h5.checkpoint
  run 0 decompose rec.h5 --method cnn --model net.h5 -o found.h5 --json
  is_json
  says '"method": "cnn"'

  # a stream of the file gives the same discharges
  n_spikes=$(tr -d ' \n' <"$out" | tr ',' '\n' | sed -n 's/^"spikes"://p' | awk '{ n += $1 } END { print n + 0 }')
  run 0 validate net.h5 found.h5
  says "network"
  run 0 decompose rec.h5 --method cnn --model net.h5 --stream
  holds "$(wc -l <"$out")" -eq "$n_spikes"
  head -c $((12 * 4 * 500)) /dev/zero >silence.raw
  n_checks=$((n_checks + 1))
  "$EMGTWIN" decompose - --method cnn --model net.h5 --stream --json <silence.raw >"$out" 2>"$err" ||
    fail "a stream of samples is refused"

  run 0 train rec.h5 --labels rec.h5 -o paper.h5 --paper --set cnn.epochs=1 --set cnn.window=20 \
    --threads 1 -v
  grep -q 'epoch = 1, loss' "$err" || fail "epochs are not told"

  # the same bits, whatever the threads
  run 0 train rec.h5 --labels rec.h5 --truth -o again.h5 $short --threads 1
  run 0 decompose rec.h5 --method cnn --model again.h5 -o found1.h5
  run 0 inspect found.h5 --hash
  grep units/ "$out" >one.sha
  run 0 inspect found1.h5 --hash
  grep units/ "$out" >two.sha
  cmp one.sha two.sha || fail "threads change the network"

  run 0 inspect net.h5
  says "multilabel, "
  run 0 inspect net.h5 --hash --json
  is_json
  says "model_weights/c1/c1/kernel:0"

  run 0 convert net.h5 net.onnx --json
  is_json
  refused 2 "ONNX" convert net.h5 net.edf

  # what does not go together
  refused 2 "--model" decompose rec.h5 --method cnn -o x.h5
  refused 2 "--method cnn" decompose rec.h5 --model net.h5 -o x.h5
  refused 2 "--quick" decompose rec.h5 --method cnn --model net.h5 --quick -o x.h5
  refused 2 "--labels" train rec.h5 -o x.h5
  refused 5 "nowhere.h5" decompose rec.h5 --method cnn --model nowhere.h5 -o x.h5
  refused 4 "holds no network" decompose rec.h5 --method cnn --model rec.h5 -o x.h5
  refused 5 "exists" train rec.h5 --labels rec.h5 -o net.h5 $short
  refused 5 "checkpoint" train rec.h5 --labels rec.h5 -o x.h5 $short --resume
  run 0 simulate quick -o other.h5 $tiny --set electrodes.rows=5
  refused 4 "15 channels" decompose other.h5 --method cnn --model net.h5 -o x.h5
  head -c 50000 net.h5 >cut.h5
  refused 4 "cut.h5" validate cut.h5
  refused 4 "cut.h5" decompose rec.h5 --method cnn --model cut.h5 -o x.h5
  refused 3 "cnn.window" train rec.h5 --labels rec.h5 -o x.h5 --set cnn.window=3
  no_trace x.h5
}

finish

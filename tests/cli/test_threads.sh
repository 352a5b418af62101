# the same bits with 1, 2 and 4 threads, dataset by dataset
. "$SOURCE/tests/cli/lib.sh"

faults="--set sensor.dead_channels=1 --set sensor.noisy_channels=1 --set sensor.mains_uv=5 \
--set sensor.noise_colour=pink --set sensor.noise_correlation_mm=20 --set sensor.motion_uv=50 \
--set output.clean=true --set output.noise=true --set drive.common_noise=0.1 --set change.states=3 \
--set change.cv_decline_per_s=0.002"
quicker="--set simulation.duration_s=6 --set decompose.rounds=2"

for n in 1 2 4; do
  # shellcheck disable=SC2086  # several words each
  {
    run 0 simulate quick -o "sim$n.h5" --threads $n $tiny $faults
    run 0 simulate quick -o "in.h5" --force --threads $n $quicker
    run 0 decompose in.h5 -o "dec$n.h5" --threads $n $quicker --set decompose.keep_source=true
  }
  for kind in sim dec; do
    "$EMGTWIN" inspect "$kind$n.h5" --hash | grep '^[0-9a-f]\{64\}  ' >"$kind$n.sha"
  done
done
for kind in sim dec; do
  holds "$(wc -l <${kind}1.sha)" -gt 10
  for n in 2 4; do
    n_checks=$((n_checks + 1))
    diff ${kind}1.sha $kind$n.sha >"$err" || fail "$kind with $n threads differs from 1"
  done
done
# another seed is another recording
# shellcheck disable=SC2086
run 0 simulate quick -o other.h5 --seed 2 $tiny $faults
"$EMGTWIN" inspect other.h5 --hash | grep ' emg/data$' >other.sha
grep -qF "$(cut -c1-64 other.sha)" sim1.sha && fail "another seed gives the same signal"

finish

# trains and parameters by inversion: invert
. "$SOURCE/tests/cli/lib.sh"

few="--set simulation.duration_s=2 --set pool.units=6 --set electrodes.columns=3 \
--set invert.probes=256 --set invert.probes_kept=40 --set invert.rounds=1"
# shellcheck disable=SC2086  # $few is a list of options
run 0 simulate bmiss_short $few -o short.h5
run 0 invert short.h5 --config short.h5 -o inverted.h5
says "velocity/(m/s)"
run 0 invert short.h5 --config short.h5 -o again.h5 --json --threads 2
is_json
says '"conduction_velocity_m_per_s_sd"'
says '"fat_thickness_mm"'
# what reads decompositions reads inversions
run 0 score inverted.h5 --truth short.h5 --preset strict
says "not matched   0 false"
run 0 inspect inverted.h5
# of a part, only what lies in it is scored
run 0 invert short.h5 --config short.h5 --from '0.5 s' --to '2 s' -o part.h5
run 0 score part.h5 --truth short.h5
says "part          discharges from 0.5 s to 2 s"
says "not matched   0 false"
refused 2 "is not before" score part.h5 --truth short.h5 --from '3 s'
# the published search
run 0 invert short.h5 --config short.h5 -o paper.h5 --set invert.mode=paper \
  --set invert.paper_probes=50 --set invert.paper_starts=8 --set invert.paper_repetitions=1 \
  --cost-maps maps.csv
holds "$(head -n 1 maps.csv)" = unit,parameter_1,parameter_2,value_1,value_2,kurtosis,is_found
holds "$(grep -c ',1$' maps.csv)" -ge 3
run 0 score paper.h5 --truth short.h5
refused 5 "exists" invert short.h5 --config short.h5 -o inverted.h5
refused 5 "exists" invert short.h5 --config short.h5 -o more.h5 --cost-maps maps.csv
refused 2 "--config" invert short.h5 -o more.h5
# another grid, no samples
refused 4 "39 channels" invert short.h5 --config bmiss_short -o more.h5
no_trace more.h5
refused 4 "inverted.h5" invert inverted.h5 --config short.h5 -o more.h5
no_trace more.h5
# what is estimated comes with its deviation
run 0 invert short.h5 --config short.h5 --set invert.offset=estimated -o offset.h5 --json
says '"grid_offset_mm_sd"'
# rows taken for columns: a result that says why it is not to be believed
run 0 simulate bmiss_short $few --set electrodes.rows=4 -o square.h5
run 0 invert square.h5 --config square.h5 --set electrodes.rows=3 --set electrodes.columns=4 \
  -o empty.h5 --json
says "check the grid"

finish

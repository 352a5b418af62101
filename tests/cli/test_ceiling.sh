# upper bounds: score --ceiling on a small subject
. "$SOURCE/tests/cli/lib.sh"

# shellcheck disable=SC2086  # $tiny is a list of options
run 0 simulate quick $tiny -o tiny.h5
run 0 decompose tiny.h5 -o found.h5
run 0 score found.h5 --truth tiny.h5 --ceiling
says "one pass"
says "of linear filters made from the true action potentials"
run 0 score found.h5 --truth tiny.h5 --ceiling --json
is_json
says '"action_potentials": "true"'
says '"alone"'
# trains alone are no recording
refused 4 "found.h5" score found.h5 --truth found.h5 --ceiling

finish

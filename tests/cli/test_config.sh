# configurations: every preset can be written, read back, changed and explained
. "$SOURCE/tests/cli/lib.sh"

run 0 init --list
presets=$(awk '{print $1}' "$out")
holds "$(echo "$presets" | wc -l)" -eq 7
run 0 init --list --json
is_json

for preset in $presets; do
  run 0 init "$preset" -o "$preset.yaml"
  run 0 validate "$preset.yaml"
  says "configuration"
done
run 0 validate ./*.yaml --json
is_json
refused 5 "exists" init quick -o quick.yaml
run 0 init quick -o quick.yaml --force --set conductor.fat_thickness_mm='0.8 cm' --seed 9
grep -q 'fat_thickness_mm: 8$' quick.yaml || fail "init does not write what --set says"
grep -q 'seed: 9$' quick.yaml || fail "init does not write what --seed says"
run 0 init quick --json
is_json
run 0 init
says "simulation:"

run 0 explain
says "fat_thickness_mm"
run 0 explain pool
says "recruitment_ratio"
run 0 explain conductor.fat_thickness_mm
says "range    0 to 60"
run 0 explain --json
is_json
run 0 explain seed --json
is_json

refused 3 "did you mean 'pool'" simulate quick -o x.h5 --set pol.units=3
refused 3 "did you mean 'units'" simulate quick -o x.h5 --set pool.unit=3
refused 3 "conductor.fat_thickness_mm" simulate quick -o x.h5 --set conductor.fat_thickness_mm='3 Hz'
refused 3 "conductor.fat_thickness_mm" simulate quick -o x.h5 --set conductor.fat_thickness_mm=nan
refused 2 "section.key=value" simulate quick -o x.h5 --set pool.units

# each finding is a line with its place
printf 'simulation:\n  sed: 1\n  duration_s: 10 mm\npool:\n  units: 3.5\n' >bad.yaml
run 3 validate bad.yaml
holds "$(wc -l <"$err")" -eq 3
grep -q "^emgtwin: bad.yaml:2:3: error: .*did you mean 'seed'" "$err" || fail "no place of the key"
grep -q '^emgtwin: bad.yaml:3:' "$err" || fail "no place of the second finding"
run 3 validate bad.yaml --json
is_json
run 3 simulate bad.yaml -o x.h5
holds ! -s "$out"
no_trace x.h5

# every file is checked, and the first that is wrong gives the exit code
run 5 validate no-such-file.yaml bad.yaml quick.yaml
says "quick.yaml: configuration"
refused 5 "no such file" simulate no-such-file.yaml -o x.h5
printf 'simulation: {seed: 1\n' >broken.yaml
refused 3 "broken.yaml:2:" simulate broken.yaml -o x.h5
: >empty.yaml
refused 3 "empty.yaml:1:1" validate empty.yaml

finish

# what is wrong on the command line is one line and exit code 2; help and version are there
. "$SOURCE/tests/cli/lib.sh"

run 0 --version
says "emgtwin "
run 0 --version --json
is_json
run 0 --help
says "commands:"
run 0 help
run 0 help --json
is_json
run 0 help --man
says ".TH EMGTWIN"

for command in init explain validate simulate decompose train edit score report inspect doctor help; do
  run 0 help $command
  says "usage: emgtwin $command"
  run 0 $command --help
  says "--json"
  run 0 $command -h
  refused 2 "unknown option '--no-such-option'" $command --no-such-option
  refused 2 "unknown option '-Z'" $command -Z
done

refused 2 "no command given"
refused 2 "did you mean 'simulate'" simualte
refused 2 "did you mean 'decompose'" help decompos
refused 2 "the commands are" xyzzyx
refused 2 "did you mean '--force'" simulate quick -o x.h5 --frce
refused 2 "needs a value" simulate quick -o
refused 2 "needs -o or --output" simulate quick
refused 2 "needs CONFIG" simulate -o x.h5
refused 2 "unexpected argument 'b'" simulate a b -o x.h5
refused 2 "takes no value" simulate quick -o x.h5 --force=1
refused 2 "--threads" simulate quick -o x.h5 --threads 0
refused 2 "--threads" simulate quick -o x.h5 --threads 2x
refused 2 "--seed" simulate quick -o x.h5 --seed -1
refused 2 "--seed" simulate quick -o x.h5 --seed 99999999999999999999
refused 2 "the methods are" decompose quick.h5 -o x.h5 --method icba
refused 2 "--rate" decompose quick.h5 -o x.h5 --rate 5mm
refused 2 "--tol" score a --truth b --tol abc
refused 2 "--min-roa" score a --truth b --min-roa 1.5
refused 2 "choose strict, muniverse or munitquest" score a --truth b --preset strictest
refused 2 "preset" init no-such-preset
refused 2 "did you mean 'simulation.seed'" explain sed

# options before the command, and letters together
run 0 --json -qv doctor
is_json
# a quiet run says nothing on standard error
run 0 -q init quick -o quiet.yaml
holds ! -s "$err"

finish

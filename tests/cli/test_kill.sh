# a run that is stopped leaves nothing that could be taken for a result
. "$SOURCE/tests/cli/lib.sh"

# stop SIGNAL SECONDS FILE: start a run, send the signal after so long; exit code in $code
stop() {
  "$EMGTWIN" simulate quick -o "$3" --set output.clean=true >"$out" 2>"$err" &
  pid=$!
  sleep "$2"
  kill "-$1" $pid 2>/dev/null
  wait $pid
  code=$?
  n_checks=$((n_checks + 1))
  last="simulate, signal $1 after $2 s"
}

for delay in 0.05 0.2 0.5 0.9 1.4; do
  stop INT $delay int.h5
  # done before the signal came, or interrupted without a trace
  if [ $code -ne 0 ]; then
    [ $code -eq 130 ] || fail "$last: exit code $code"
    [ "$(grep -c 'error: interrupted' "$err")" -eq 1 ] || fail "$last: no word of it"
    no_trace int.h5
  fi
  rm -f int.h5
done

for delay in 0.1 0.3 0.6 0.9 1.2 1.6 2.0; do
  stop KILL $delay kill.h5
  # the name holds a whole file or none
  if [ -e kill.h5 ]; then
    run 0 validate kill.h5
  fi
  # and what else is left is no readable file
  for part in kill.h5.part.*; do
    [ -e "$part" ] && "$EMGTWIN" inspect "$part" >"$out" 2>"$err" && fail "$part can be read"
  done
  rm -f kill.h5 kill.h5.part.*
done

finish

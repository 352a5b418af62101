# the commands of docs/cookbook.md run as they stand there
. "$SOURCE/tests/cli/lib.sh"

# indented lines are commands; those of one block run in turn, all in one folder
mkdir bin
ln -s "$EMGTWIN" bin/emgtwin
PATH=$work/bin:$PATH
sed -n 's/^    \$ //p' "$SOURCE/docs/cookbook.md" >commands
holds "$(wc -l <commands)" -gt 10
while read -r command; do
  n_checks=$((n_checks + 1))
  sh -c "$command" >"$out" 2>"$err" </dev/null || fail "$command"
done <commands

finish

# documents that are written from tables are what the tables say now
. "$SOURCE/tests/cli/lib.sh"

fresh() {
  n_checks=$((n_checks + 1))
  cmp -s "$out" "$SOURCE/$1" || fail "$1 is old; write it again with tools/docs"
}

run 0 help --man
fresh docs/emgtwin.1
run 0 help --markdown
fresh docs/commands.md
run 0 explain --markdown
fresh docs/parameters.md
for preset in $("$EMGTWIN" init --list | awk '{print $1}'); do
  run 0 init "$preset"
  fresh "configs/$preset.yaml"
done

# every file that a document points to is there
for document in "$SOURCE"/*.md "$SOURCE"/*/*.md; do
  for target in $(grep -o ']([^)#]*' "$document" | cut -c3- | grep -v '://'); do
    n_checks=$((n_checks + 1))
    [ -e "$(dirname "$document")/$target" ] || fail "$document points to $target"
  done
done

finish

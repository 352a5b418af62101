# run.sh BUILD_FOLDER SOURCE_FOLDER -- install into a folder of its own, move it, and build a program
# against it by pkg-config, and by CMake shared and static
set -eu
build=$1
source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cmake --install "$build" --prefix "$work/first" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
mv "$work/first" "$work/moved"
prefix=$work/moved
library=$(dirname "$(find "$prefix" -name 'libemgtwin.so')")

# what is there
"$prefix/bin/emgtwin" --version
test -s "$prefix/share/man/man1/emgtwin.1"
test -s "$prefix/share/emgtwin/configs/quick.yaml"
test -s "$prefix/include/emgtwin/emgtwin.h"
test -L "$library/libemgtwin.so"
# only names of ours are exported
others=$(nm -D --defined-only "$library/libemgtwin.so" | awk '{print $3}' | grep -v '^emg_' || true)
test -z "$others" || { echo "exported: $others"; exit 1; }

# every header stands alone, in C and C++
for header in "$prefix"/include/emgtwin/*.h; do
  echo "#include <emgtwin/$(basename "$header")>" >"$work/alone.c"
  cc -std=c11 -Wall -Wextra -Wpedantic -Werror -fsyntax-only "-I$prefix/include" "$work/alone.c"
  c++ -std=c++17 -Wall -Wextra -Werror -fsyntax-only -x c++ "-I$prefix/include" "$work/alone.c"
done

# by pkg-config
PKG_CONFIG_PATH=$library/pkgconfig
export PKG_CONFIG_PATH
# shellcheck disable=SC2046  # flags are words
cc -std=c11 "$source/tests/package/user.c" -o "$work/user" $(pkg-config --cflags --libs emgtwin)
LD_LIBRARY_PATH=$library "$work/user"

# by CMake
cmake -S "$source/tests/package" -B "$work/build" -DCMAKE_PREFIX_PATH="$prefix" >"$work/log" 2>&1 &&
  cmake --build "$work/build" >>"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
"$work/build/user_emgtwin"
"$work/build/user_static"

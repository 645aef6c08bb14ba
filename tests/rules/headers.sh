#!/bin/bash
# Every public header begins with its comment block ("name.h - what it is for.") and compiles alone.
set -u
. "$(dirname "$0")/lib.sh"

PACKAGES='libuv libmosquitto libpq libprotobuf-c geos jansson expat yaml-0.1 zlib libsystemd cmocka'
# shellcheck disable=SC2086
FLAGS="$(pkg-config --cflags $PACKAGES) -std=c17 -Wall -Wextra -Wno-unused-function -Werror -D_GNU_SOURCE"

check() { # TREE
    local file
    while read -r file; do
        if [[ $(head -n 1 "$1/$file") != '/*' ||
            $(sed -n 2p "$1/$file") != " * $(basename "$file") - "* ]]; then
            finding "$file:1: begins with no block \"/*\", \" * $(basename "$file") - what it is for.\""
        fi
    done < <(files "$1" '*.h' | grep -vE '^tests/|_internal\.h$')
    # shellcheck disable=SC2086
    files "$1" '*.h' | grep -vE '^tests/' |
        (cd "$1" && xargs -r -P 2 -I{} ${CC:-cc} $FLAGS -I . -I "$BUILD" -I "$BUILD/proto" -fsyntax-only -x c -include {} /dev/null) 2>&1 |
        grep -E 'error' && found=1
    return "$found"
}

# ---- self-check ----
mkdir "$SCRATCH/m"
printf '/*\n * a.h - what.\n */\nint f(int x);\n' >"$SCRATCH/m/a.h"
must_pass check "$SCRATCH"
printf '/*\n * a.h - what.\n */\nuint32_t f(int x);\n' >"$SCRATCH/m/a.h"
must_find "unknown type name" check "$SCRATCH"
printf '#include <stdint.h>\nuint32_t f(int x);\n' >"$SCRATCH/m/a.h"
must_find 'm/a.h:1: begins with no block' check "$SCRATCH"

judge "$TREE"

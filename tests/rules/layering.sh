#!/bin/bash
# A module includes only headers of itself and of the modules it USES (theirs included), and libraries that it
# or they name under LIBS. The three edges never see each other.
# Reads build/<preset>/modules.txt: name|directory|uses|pure|archive|sources|libs.
set -u
. "$(dirname "$0")/lib.sh"

check() { # TREE MODULES
    local tree=$1 modules=$2
    cd "$tree" || return 1
    files "$tree" '*.c' '*.h' | xargs -r grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*[<"]' /dev/null |
        sed -E 's/^([^:]+):([0-9]+):[[:space:]]*#[[:space:]]*include[[:space:]]*([<"])([^">]+)[">].*/\1|\2|\3|\4/' |
        awk -F'|' -v modules="$modules" '
        function closure(m, seen,    i, n, parts) {
            if (m in seen) return
            seen[m] = 1
            n = split(uses[m], parts, ",")
            for (i = 1; i <= n; i++) if (parts[i] != "") closure(parts[i], seen)
        }
        # the module that a file belongs to: the one that compiles its .c, else that of the longest common
        # beginning (archive_internal.h -> archive.c), else the first module of the directory; "" for none and for
        # sources of programs
        function module_of(file,    dir, stem, junk) {
            dir = file
            if (!sub(/\/[^\/]*$/, "", dir)) return ""
            stem = file
            sub(/\.[ch]$/, "", stem)
            if (file ~ /\.c$/) return stem in owner ? owner[stem] : ""
            # the header of a source that no module compiles belongs to a program: those may include all
            if (!(stem in owner) && (getline junk < (stem ".c")) >= 0) { close(stem ".c"); return "" }
            while (stem != dir) {
                if (stem in owner) return owner[stem]
                if (!sub(/_[^_\/]*$/, "", stem)) break
            }
            return first[dir]
        }
        function tell(words) {
            printf "%s:%s: %s\n", $1, $2, words
            found = 1
        }
        BEGIN {
            while ((getline line < modules) > 0) {
                split(line, part, "|")
                name = part[1]; dir[name] = part[2]; uses[name] = part[3]; libs[name] = part[7]
                if (!(part[2] in first)) first[part[2]] = name
                n = split(part[6], source, ",")
                for (i = 1; i <= n; i++) { sub(/\.c$/, "", source[i]); owner[part[2] "/" source[i]] = name }
                count++
            }
            if (!count) { print modules ": no modules"; found = 1 }
            library["uv.h"] = "PkgConfig::UV"; library["mosquitto.h"] = "PkgConfig::MOSQUITTO"
            library["libpq-fe.h"] = "PkgConfig::PQ"; library["geos_c.h"] = "PkgConfig::GEOS"
            library["jansson.h"] = "PkgConfig::JANSSON"; library["expat.h"] = "PkgConfig::EXPAT"
            library["yaml.h"] = "PkgConfig::YAML"; library["zlib.h"] = "PkgConfig::ZLIB"
            library["systemd/sd-daemon.h"] = "PkgConfig::SYSTEMD"
            library["protobuf-c/protobuf-c.h"] = "PkgConfig::PROTOBUF_C"; library["math.h"] = "m"
            edge["broker-bridge"] = edge["storage"] = edge["http"] = 1
        }
        {
            mine = module_of($1)
            if (mine == "") next
            delete seen
            closure(mine, seen)
            if ($3 == "<") {
                if (!($4 in library) || $4 == "math.h") next
                for (m in seen) if (index("," libs[m] ",", "," library[$4] ",")) next
                tell("module " mine " does not name " library[$4] " under LIBS, nor does one that it uses")
                next
            }
            if ($4 !~ /\//) {
                if ($4 !~ /\.pb-c\.h$/) tell("\"" $4 "\": includes are written from the root, dir/name.h")
                next
            }
            their_dir = $4
            sub(/\/[^\/]*$/, "", their_dir)
            my_dir = dir[mine]
            if ((my_dir in edge) && (their_dir in edge) && my_dir != their_dir) {
                tell("the edges never include each other: " my_dir " -> " $4)
                next
            }
            theirs = module_of($4)
            if (theirs == "" || theirs in seen || their_dir == my_dir) next
            tell("module " mine " does not use " theirs ": " $4)
        }
        END { exit found }'
}

# ---- self-check ----
mkdir -p "$SCRATCH"/{base,core,storage,broker-bridge}
cat >"$SCRATCH/modules.txt" <<'END'
base|base||impure|x|status.c|
core|core|base|pure|x|engine.c|
journal|storage|base,core|impure|x|journal.c|PkgConfig::UV
bridge|broker-bridge|base,core|impure|x|bridge.c|PkgConfig::UV,PkgConfig::MOSQUITTO
END
touch "$SCRATCH"/core/event.h "$SCRATCH"/base/status.h
echo '#include "base/status.h"' >"$SCRATCH/core/engine.c"
printf '#include <uv.h>\n#include "core/event.h"\n#include "storage/journal.h"\n' >"$SCRATCH/storage/journal.c"
must_pass check "$SCRATCH" "$SCRATCH/modules.txt"
echo '#include "core/event.h"' >"$SCRATCH/base/status.c"
must_find 'base/status.c:1: module base does not use core' check "$SCRATCH" "$SCRATCH/modules.txt"
rm "$SCRATCH/base/status.c"
printf '\n  #  include <uv.h>\n' >"$SCRATCH/core/engine_internal.h"
must_find 'core/engine_internal.h:2: module core does not name PkgConfig::UV' check "$SCRATCH" "$SCRATCH/modules.txt"
rm "$SCRATCH/core/engine_internal.h"
echo '#include "storage/journal.h"' >"$SCRATCH/broker-bridge/bridge.c"
must_find 'the edges never include each other' check "$SCRATCH" "$SCRATCH/modules.txt"
must_find 'no modules' check "$SCRATCH" /dev/null

judge "$TREE" "$BUILD/modules.txt"

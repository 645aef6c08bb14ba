#!/bin/bash
# The objects of a PURE module refer to nothing but their own symbols, those of the modules they USE, the plain
# memory and string functions, what the compiler puts in, and what purity.allow grants with its reason.
set -u
. "$(dirname "$0")/lib.sh"

PLAIN='mem(cpy|move|set|cmp|chr|rchr|mem)|str(len|nlen|cmp|ncmp|chr|rchr|spn|cspn|pbrk|str)|bcmp'
COMPILER='_GLOBAL_OFFSET_TABLE_|__stack_chk_fail|__(asan|ubsan|tsan|gcov|sanitizer)_.*|__(mem|str)[a-z]*_chk|__popcountdi2|_Unwind_Resume|__dso_handle|__cyg_.*'

archive_of() {
    awk -F'|' -v name="$2" '$1 == name {print $5}' "$1"
}

uses_of() { # MODULES NAME: it and all that it uses
    awk -F'|' -v name="$2" '
        function walk(m,    i, n, part) {
            if (m == "" || m in seen) return
            seen[m] = 1
            print m
            n = split(uses[m], part, ",")
            for (i = 1; i <= n; i++) walk(part[i])
        }
        {uses[$1] = $3}
        END {walk(name)}' "$1"
}

check() { # MODULES ALLOW
    local modules=$1 allow=$2 name archive symbol module known
    [[ -s $modules ]] || finding "$modules: no modules"
    for name in $(awk -F'|' '$4 == "pure" {print $1}' "$modules"); do
        archive=$(archive_of "$modules" "$name")
        if [[ ! -e $archive ]]; then
            finding "$archive: not built"
            continue
        fi
        known=$(for module in $(uses_of "$modules" "$name"); do
            nm --defined-only -g "$(archive_of "$modules" "$module")" 2>/dev/null
        done | awk 'NF == 3 {print $3}' | sort -u)
        while read -r symbol; do
            finding "module $name is PURE but calls $symbol ($(nm -A -u "$archive" 2>/dev/null |
                sed -nE "s/.*:([^:]+\.o):.* U $symbol\$/\1/p" | paste -sd' '))"
        done < <(nm -u "$archive" 2>/dev/null | awk '$1 == "U" {print $2}' | sort -u |
            grep -vxE "$PLAIN|$COMPILER" | grep -vxF -f <(printf '%s\n' "$known") |
            grep -vxF -f <(sed 's/#.*//' "$allow" | awk -v name="$name" '$1 == name {for (i = 2; i <= NF; i++) print $i}
                END {print "-"}'))
    done
    return "$found"
}

# ---- self-check ----
(
    cd "$SCRATCH" || exit 1
    printf 'int low(int x);\nint low(int x)\n{\n    return x + 1;\n}\n' >low.c
    printf '#include <string.h>\nint low(int x);\nint high(const char *t);\nint high(const char *t)\n{\n    return low((int)strlen(t));\n}\n' >high.c
    printf '#include <time.h>\nlong late(void);\nlong late(void)\n{\n    return (long)time(0);\n}\n' >late.c
    for file in low high late; do ${CC:-cc} -c -fno-builtin -o $file.o $file.c; done
    ar rc liblow.a low.o && ar rc libhigh.a high.o && ar rc liblate.a late.o
    printf 'low|low||pure|%s/liblow.a|low.c|\nhigh|high|low|pure|%s/libhigh.a|high.c|\n' "$SCRATCH" "$SCRATCH" >good.txt
    printf 'late|late|low|pure|%s/liblate.a|late.c|\n' "$SCRATCH" >bad.txt
    printf 'high|high||pure|%s/libhigh.a|high.c|\n' "$SCRATCH" >alone.txt
    echo 'late time # granted here' >allow.txt
)
must_pass check "$SCRATCH/good.txt" /dev/null
must_find 'module late is PURE but calls time (late.o)' check "$SCRATCH/bad.txt" /dev/null
must_find 'module high is PURE but calls low' check "$SCRATCH/alone.txt" /dev/null
must_pass check "$SCRATCH/bad.txt" "$SCRATCH/allow.txt"

judge "$BUILD/modules.txt" "$(dirname "$0")/purity.allow"

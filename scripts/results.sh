# bench/RESULTS.md: a section for each benchmark, written by `./campus bench NAME --results` alone. Source lib.sh first.

RESULTS_HEAD='# Results

What `./campus bench NAME --results` measured last, a section for each NAME, written by the command: nothing here is
edited by hand. Absolute times belong to the machine named; ratios come from interleaved runs in one process. What the keys
mean stands in README.md.'

# results_replace FILE NAME BODY: the section "## NAME" of FILE becomes what the file BODY holds, in its place, or at the
# end where there was none. Other sections keep every byte. "## " within a block of ``` is no heading.
results_replace() {
    local file=$1 name=$2 body=$3
    [[ -e $file ]] || printf '%s\n' "$RESULTS_HEAD" >"$file"
    awk -v name="$name" -v body="$body" '
        function put(    line) {
            print "## " name "\n"
            while ((getline line <body) > 0) print line
            done = 1
        }
        /^```/ { block = !block }
        !block && /^## / {
            mine = ($0 == "## " name)
            if (mine) {
                if (!done) put()
                between = 1
                next
            }
            if (between) print ""
            between = 0
        }
        !mine { print }
        END {
            if (!done) {
                print ""
                put()
            }
        }' "$file" >"$file.new" || return 1
    mv "$file.new" "$file"
}

# results_body TABLE MACHINE COMMIT COMMAND: the section without its heading; TABLE is what the benchmark printed.
results_body() {
    printf -- '- machine: %s\n- commit: %s\n- date: %s\n- command: `%s`\n\n```\n' "$2" "$3" "$(date -u +%F)" "$4"
    sed -e '/./,$!d' "$1"
    printf '```\n'
}

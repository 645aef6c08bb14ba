# The city of bench-geo joined in PostGIS, on a private server. Used by bench.sh, which has sourced lib.sh and stack.sh.

# join_ms: milliseconds of the join, the best of four times; its pairs and checksum must be ours.
join_ms() {
    local round out all=()
    for round in 1 2 3 4; do
        out=$(
            "$PG_BIN/psql" -XAtq -F ' ' -v ON_ERROR_STOP=1 "$CAMPUS_PG" -c '\timing on' \
                -c 'set max_parallel_workers_per_gather = 0; set jit = off;' \
                -c 'select count(*), sum(p.id * 31 + f.id) from points p join fences f on ST_Intersects(f.area, p.place)'
        ) || die "PostGIS did not join"
        grep -qxF "$PAIRS $CHECKSUM" <<<"$out" ||
            die "PostGIS and the index differ: wanted $PAIRS pairs, checksum $CHECKSUM; it said: $out"
        all+=("$(sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p' <<<"$out" | tail -n 1)")
    done
    printf '%s\n' "${all[@]}" | sort -g | head -n 1
}

# measure WAY: a line of the table; BEST_MS becomes the least so far.
measure() {
    local ms
    sql 'vacuum analyze fences' && sql 'vacuum analyze points' || die "PostGIS did not analyze"
    ms=$(join_ms) || exit 1
    awk -v way="$1" -v ms="$ms" -v n="$POINTS" 'BEGIN {printf "%-36s %10.1f %10.0f\n", way, ms * 1e6 / n, n / ms * 1000}'
    BEST_MS=$(awk -v a="$ms" -v b="$BEST_MS" 'BEGIN {print (b == "" || a < b) ? a : b}')
}

# run_postgis [--quick]: in a subshell. Prints a table, and figures into $MORE.
run_postgis() {
    local said ours
    BEST_MS=''
    STACK=$(mktemp -d "${TMPDIR:-/tmp}/campus-postgis.XXXXXX")
    chmod 711 "$STACK"
    trap 'stack_stop; stack_remove' EXIT
    trap 'exit 130' INT TERM
    stack_open
    pg_start
    if [[ $(sql "select 1 from pg_available_extensions where name = 'postgis'") != 1 ]]; then
        printf '\nskipped: PostGIS, postgresql-15-postgis-3 is not installed\n'
        return 0
    fi
    said=$("$BIN/bench-geo" --dump "$STACK" "$@") || die "bench-geo --dump failed"
    POINTS=$(sed -n 's/^points //p' <<<"$said")
    PAIRS=$(sed -n 's/^pairs //p' <<<"$said")
    CHECKSUM=$(sed -n 's/^checksum //p' <<<"$said")
    ours=$(sed -n 's/^batch_ns //p' <<<"$said")
    sql 'create extension postgis; create table fences (id bigint, area geometry); create table points (id bigint, place geometry)' ||
        die "PostGIS made no tables"
    sql "\\copy fences from '$STACK/fences.tsv'" && sql "\\copy points from '$STACK/points.tsv'" || die "PostGIS did not load"
    printf '\nPostGIS, one backend: %s points of the city joined, %s pairs, the same as the index\n' "$POINTS" "$PAIRS"
    printf '%-36s %10s %10s\n' '' 'ns a point' 'points/s'
    sql 'create index fences_index on fences using gist (area)' || die "PostGIS made no index"
    measure 'fences by GiST'
    sql 'drop index fences_index; create index on fences using spgist (area)' || die "PostGIS made no index"
    measure 'fences by SP-GiST'
    sql 'create index on points using gist (place)' || die "PostGIS made no index"
    measure 'points by GiST too'
    awk -v ms="$BEST_MS" -v n="$POINTS" -v ours="$ours" -v more="$MORE" 'BEGIN {
        ns = ms * 1e6 / n
        printf "%-36s %10.1f\nbatch_vs_postgis, its best %20.1f\n", "index, batches of 64", ours, ns / ours
        printf "geo.postgis_ns %.1f\ngeo.batch_vs_postgis %.1f\n", ns, ns / ours >>more
    }'
}

# What every rule shares. A rule is a function `check TREE` that prints its findings as file:line: words and
# returns 1 when there are any. Before it judges our tree it must fail on a small bad one made by itself:
# a rule that cannot fail is no rule.
TREE=${1:-$(cd "$(dirname "$0")/../.." && pwd -P)}
BUILD=${2:-$TREE/build/dev}
SCRATCH=$(mktemp -d)
trap 'rm -rf "$SCRATCH"' EXIT
found=0

finding() {
    printf '%s\n' "$*"
    found=1
}

# files TREE PATTERN...: tracked and new ones, without what is ignored; all of them where there is no git.
files() {
    local tree=$1 pattern names=()
    shift
    if [[ -e $tree/.git ]]; then
        (cd "$tree" && git -c safe.directory='*' ls-files --cached --others --exclude-standard -- "$@" |
            sort -u | while read -r file; do [[ ! -f $file ]] || echo "$file"; done)
    else
        for pattern in "$@"; do names+=(-o -name "$pattern"); done
        (cd "$tree" && find . \( -name build -o -name var \) -prune -o \( "${names[@]:1}" \) -type f -print | sed 's|^\./||' | sort)
    fi
}

# must_find TEXT COMMAND...: the self-check.
must_find() {
    local text=$1 out
    shift
    out=$( (found=0; "$@") 2>&1)
    if [[ $? == 0 || $out != *"$text"* ]]; then
        echo "this rule is blind: it should have said \"$text\" but said: ${out:-nothing}"
        exit 1
    fi
}

must_pass() {
    local out
    if ! out=$( (found=0; "$@") 2>&1); then
        echo "this rule accuses the innocent: $out"
        exit 1
    fi
}

judge() {
    if check "$@"; then
        echo "nothing found"
    else
        echo "the rule is in $(basename "$0")"
        exit 1
    fi
}

#!/bin/bash
# Installs the Debian packages that are missing: `run` = to build and run, `all` = to test and lint too, `bench` = to run
# and to measure beside GEOS's C++ classes and count instructions, `docs` = to run and to draw docs/plots.
set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

RUN_PACKAGES=(gcc libc6-dev cmake ninja-build pkg-config ccache gzip
    libuv1-dev libmosquitto-dev libpq-dev libprotobuf-c-dev protobuf-c-compiler libgeos-dev libcmocka-dev
    libjansson-dev libexpat1-dev libyaml-dev zlib1g-dev libdeflate-dev libsystemd-dev
    mosquitto postgresql-15 postgresql-client-15)
TEST_PACKAGES=(mosquitto-clients clang clang-tidy clang-format cppcheck)
BENCH_PACKAGES=(g++ libgeos++-dev valgrind)
DOCS_PACKAGES=(gnuplot-nox)

missing_of() {
    local package
    for package in "$@"; do
        [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || echo "$package"
    done
}

root() {
    if ((EUID == 0)); then
        "$@"
    else
        sudo "$@"
    fi
}

apt() {
    root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold \
        "$@" || die "apt-get $1 failed: what it said stands above"
}

# Debian starts services when it installs them. Those here come as programs for us, not as services of the
# machine: none is started or enabled that was not there before.
hold_services() {
    if [[ ! -e /usr/sbin/policy-rc.d ]]; then
        printf '#!/bin/sh\nexit 101\n' | root tee /usr/sbin/policy-rc.d >/dev/null
        root chmod 755 /usr/sbin/policy-rc.d
        held=1
    fi
}

release_services() {
    ((held)) && root rm -f /usr/sbin/policy-rc.d
    held=0
}

install_postgresql() {
    local conf=/etc/postgresql-common/createcluster.conf
    apt install -y --no-install-recommends postgresql-common
    if [[ -e $conf ]]; then
        root cp -p "$conf" "$conf.campus"
        root sed -i '/^#\?create_main_cluster/d; $a create_main_cluster = false' "$conf"
    fi
    apt install -y --no-install-recommends postgresql-15
    if [[ -e $conf.campus ]]; then
        root mv "$conf.campus" "$conf"
    fi
}

disable_service() {
    if [[ -d /run/systemd/system ]]; then
        root systemctl disable --now "$1" >/dev/null 2>&1 || true
    fi
}

main() {
    local packages=("${RUN_PACKAGES[@]}") missing
    case ${1:-all} in
    run) ;;
    all) packages+=("${TEST_PACKAGES[@]}") ;;
    bench) packages+=("${BENCH_PACKAGES[@]}") ;;
    docs) packages+=("${DOCS_PACKAGES[@]}") ;;
    *) die "deps: \"$1\" is none of run, all, bench, docs" ;;
    esac
    if ! command -v dpkg-query >/dev/null; then
        say "this is no Debian: make sure that these are installed: ${packages[*]}"
        return 0
    fi
    mapfile -t missing < <(missing_of "${packages[@]}")
    if ((${#missing[@]} == 0)); then
        return 0
    fi
    if ((EUID != 0)) && ! command -v sudo >/dev/null; then
        die "packages are missing and there is no sudo. As root: apt-get install ${missing[*]}"
    fi
    say "installing ${#missing[@]} packages: ${missing[*]}"
    held=0
    trap release_services EXIT
    hold_services
    apt update -q
    [[ " ${missing[*]} " == *" postgresql-15 "* ]] && install_postgresql
    apt install -y --no-install-recommends "${missing[@]}"
    [[ " ${missing[*]} " == *" mosquitto "* ]] && disable_service mosquitto
    release_services
    mapfile -t missing < <(missing_of "${missing[@]}")
    ((${#missing[@]} == 0)) || die "still missing after the installation: ${missing[*]}"
    say "all packages are there"
}

held=0
main "$@"

# Payloads by hand, byte by byte, so that a test of the decoder does not trust the encoder. Everything is hex text;
# field numbers as in proto/campus.proto.

hex_varint() {
    local value=$1
    while ((value > 127)); do
        printf '%02x' $((value & 127 | 128))
        value=$((value >> 7))
    done
    printf '%02x' "$value"
}

hex_little() { # VALUE BYTES
    local value=$1 i
    for ((i = 0; i < $2; i++)); do
        printf '%02x' $((value & 255))
        value=$((value >> 8))
    done
}

field_varint() { # FIELD VALUE
    hex_varint $(($1 << 3))
    hex_varint "$2"
}

field_fixed32() {
    hex_varint $(($1 << 3 | 5))
    hex_little "$2" 4
}

field_fixed64() {
    hex_varint $(($1 << 3 | 1))
    hex_little "$2" 8
}

field_bytes() { # FIELD HEX
    hex_varint $(($1 << 3 | 2))
    hex_varint $((${#2} / 2))
    printf '%s' "$2"
}

field_text() {
    field_bytes "$1" "$(printf '%s' "$2" | od -An -v -tx1 | tr -d ' \n')"
}

# pb_fix TIME_MS LAT_E7 LON_E7 [MORE HEX]
pb_fix() {
    field_fixed64 1 "$1"
    field_fixed32 2 "$2"
    field_fixed32 3 "$3"
    printf '%s' "${4:-}"
}

# pb_report SEQ FIX [CLAIM]: a CardReport of epoch 7 with one fix ('' = none), seq 0 = none
pb_report() {
    [[ -z ${3:-} ]] || field_text 1 "$3"
    field_varint 2 7
    (($1 == 0)) || field_varint 3 "$1"
    [[ -z $2 ]] || field_bytes 6 "$2"
}

unhex() {
    local text=$1 escaped
    escaped=$(sed 's/../\\x&/g' <<<"$text")
    printf '%b' "$escaped"
}

#include "tests/proto/bytes.h"

void put_varint(struct buffer *out, uint64_t value)
{
    unsigned char byte;
    while (value > 127) {
        byte = (unsigned char)(value & 127) | 128;
        buffer_append(out, &byte, 1);
        value >>= 7;
    }
    byte = (unsigned char)value;
    buffer_append(out, &byte, 1);
}

void put_number(struct buffer *out, unsigned field, uint64_t value)
{
    put_varint(out, field << 3);
    put_varint(out, value);
}

static void put_little(struct buffer *out, uint64_t value, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        unsigned char byte = (unsigned char)(value >> (8 * i));
        buffer_append(out, &byte, 1);
    }
}

void put_fixed32(struct buffer *out, unsigned field, int32_t value)
{
    put_varint(out, field << 3 | 5);
    put_little(out, (uint32_t)value, 4);
}

void put_fixed64(struct buffer *out, unsigned field, int64_t value)
{
    put_varint(out, field << 3 | 1);
    put_little(out, (uint64_t)value, 8);
}

void put_bytes(struct buffer *out, unsigned field, struct text bytes)
{
    put_varint(out, field << 3 | 2);
    put_varint(out, bytes.length);
    buffer_append(out, bytes.at, bytes.length);
}

void put_inner(struct buffer *out, unsigned field, struct buffer *inner)
{
    put_bytes(out, field, bytes_of(inner));
    buffer_clear(inner);
}

struct text bytes_of(const struct buffer *buffer)
{
    return (struct text){buffer->data, buffer->size};
}

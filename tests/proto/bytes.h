/*
 * bytes.h - protobuf by hand, so that the decoder is not judged by our own encoder.
 */
#ifndef TESTS_PROTO_BYTES_H
#define TESTS_PROTO_BYTES_H

#include "base/buffer.h"
#include "base/text.h"

void put_varint(struct buffer *out, uint64_t value);
void put_number(struct buffer *out, unsigned field, uint64_t value);
void put_fixed32(struct buffer *out, unsigned field, int32_t value);
void put_fixed64(struct buffer *out, unsigned field, int64_t value);
void put_bytes(struct buffer *out, unsigned field, struct text bytes);
/* The inner message as a field; empties it. */
void put_inner(struct buffer *out, unsigned field, struct buffer *inner);
struct text bytes_of(const struct buffer *buffer);

#endif

/*
 * How a client asks a SIP022 server for the true result of a connect, and how it
 * is told: a mark at the beginning of the request's padding, a byte in an answer
 * of its own (docs/true-connect.md). Other servers ignore the mark, for padding
 * has no meaning, and other clients never set it.
 */
#ifndef GATUN_PROTO_TRUE_CONNECT_H
#define GATUN_PROTO_TRUE_CONNECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/flow_end.h"

#define TRUE_CONNECT_MARK_LEN 8
#define TRUE_CONNECT_ANSWER_LEN 4

/* Writes the mark. */
void true_connect_put_mark(uint8_t *out);
/* Does a padding begin with it? */
bool true_connect_has_mark(const uint8_t *padding, size_t len);

/* The answer for an end of the server's connect; END_DONE: it stands; END_COUNT:
 * it has not ended yet, another answer follows. */
void true_connect_put_answer(enum flow_end, uint8_t *out);
/* 0, or -EPROTO: of no version that is known. A result that is not known is
 * END_NO_REPLY. */
int true_connect_read_answer(const uint8_t *in, enum flow_end *out);

#endif

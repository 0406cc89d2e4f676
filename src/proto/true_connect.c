/* The bytes of true connect results. Codes are for ever: new ones are added at the end. */
#include "proto/true_connect.h"

#include <errno.h>
#include <string.h>

#define VERSION 1
#define PENDING 0xff

static const uint8_t mark[TRUE_CONNECT_MARK_LEN] = { 'g', 'a', 't', 'u', 'n', '/', 'c', VERSION };

/* By code. What has no code of its own is the server's own trouble: END_LIMIT. */
static const enum flow_end results[] = {
	END_DONE, END_REFUSED, END_UNREACHABLE, END_NET_UNREACHABLE, END_CONNECT_TIMEOUT, END_NAME, END_DENIED, END_LIMIT,
};
#define RESULTS (sizeof(results) / sizeof(results[0]))

void true_connect_put_mark(uint8_t *out)
{
	memcpy(out, mark, sizeof(mark));
}

bool true_connect_has_mark(const uint8_t *padding, size_t len)
{
	return len >= sizeof(mark) && memcmp(padding, mark, sizeof(mark)) == 0;
}

void true_connect_put_answer(enum flow_end why, uint8_t *out)
{
	uint8_t code = 0;

	while (code < RESULTS - 1 && results[code] != why)
		code++;
	if (why == END_COUNT)
		code = PENDING;
	memcpy(out, (uint8_t[TRUE_CONNECT_ANSWER_LEN]){ VERSION, code, 0, 0 }, TRUE_CONNECT_ANSWER_LEN);
}

int true_connect_read_answer(const uint8_t *in, enum flow_end *out)
{
	if (in[0] != VERSION)
		return -EPROTO;
	*out = in[1] < RESULTS ? results[in[1]] : in[1] == PENDING ? END_COUNT : END_NO_REPLY;
	return 0;
}

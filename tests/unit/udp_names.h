/* A name server of the test's own, which answers when the test says so. */
#ifndef TEST_UDP_NAMES_H
#define TEST_UDP_NAMES_H

#include "udp_helpers.h"

static int dns_fd;
static struct addr dns_addr;

/* Answers the queries that have come: A with `n` addresses, or NXDOMAIN; AAAA with none.
 * How many A queries there were. */
static inline int answer_dns(const uint8_t (*addrs)[4], int n, bool exists)
{
	uint8_t m[512];
	struct addr from;
	ssize_t len;
	int asked = 0;

	while ((len = plain_receive(dns_fd, m, sizeof(m) - 200, &from)) > 0) {
		size_t at = 12;
		bool a;

		while (m[at])
			at += m[at] + 1u;
		at += 5;
		a = m[at - 3] == 1;
		asked += a;
		m[2] = 0x81;
		m[3] = exists ? 0x80 : 0x83;
		m[6] = 0;
		m[7] = a && exists ? (uint8_t)n : 0;
		memset(m + 8, 0, 4); /* no authority, no additional: EDNS is not echoed */
		for (int i = 0; a && exists && i < n; i++) {
			const uint8_t rr[] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4 };
			memcpy(m + at, rr, sizeof(rr));
			memcpy(m + at + sizeof(rr), addrs[i], 4);
			at += sizeof(rr) + 4;
		}
		plain_send(dns_fd, &from, m, at);
	}
	return asked;
}

static const uint8_t here[][4] = { { 127, 0, 0, 1 } };

#endif

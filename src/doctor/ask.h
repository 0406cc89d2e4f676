/*
 * Asks a Shadowsocks server for something, to learn whether it takes us for one
 * of its own: a server says nothing to whom it cannot tell from a prober, and a
 * 2022 method takes a clock that is wrong for one. Nobody outside doctor/ includes it.
 */
#ifndef GATUN_DOCTOR_ASK_H
#define GATUN_DOCTOR_ASK_H

#include "base/addr.h"
#include "conf/config.h"
#include "io/socket_rules.h"

#define ASK_AT_ONCE 8

/* All is borrowed. */
struct ask {
	const struct config_server *server;
	const struct addr *at;		  /* where it is: no plugin, no other proxy before it */
	const struct socket_rules *rules; /* of the connections to it */
	const struct target *through;	  /* a resolver, which is asked through the server; port 53 */
};

struct ask_answer {
	bool heard;    /* what came back was sealed with the key: method and password are right */
	bool has_time; /* a 2022 method: */
	int64_t ahead_s; /* the server's clock before ours */
	int64_t shift_s; /* of the question that was answered */
};

/*
 * n questions (1 to ASK_AT_ONCE) at once, a connection each, whose time is shifts[i] seconds after
 * this machine's; until one is answered, all have failed or wait_ms is over.
 */
void doctor_ask(const struct ask *, const int64_t *shifts, int n, int wait_ms, struct ask_answer *);

#endif

/*
 * The servers of a config: is there a way to each, and how large may a packet on
 * it be? A connection is made and closed. What it says to who has the key is
 * look_welcome.c's business, and asked where it stands by itself alone: no plugin
 * is started and no other proxy used for it.
 */
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "client/outbounds.h"
#include "client/tun_mtu.h"
#include "doctor/trials.h"
#include "gate/gate.h"
#include "io/socket_rules.h"

#define CONNECT_MS 5000
#define ADDRESSES 8 /* of a name, at most */
#define TUN_MTU_MIN 1280

/* Marked where that is allowed: a gatun that is up would carry the question. */
static struct socket_rules rules_of(const struct doctor_patient *p)
{
	struct socket_rules rules = p->config->outbound;

	if (p->root && !rules.fwmark)
		rules.fwmark = p->config->up.mark ? p->config->up.mark : GATE_MARK;
	return rules;
}

/* 0 or -errno. */
static int await(int fd)
{
	struct pollfd ready = { .fd = fd, .events = POLLOUT };
	socklen_t len = sizeof(int);
	int err = 0;

	if (poll(&ready, 1, CONNECT_MS) <= 0)
		return -ETIMEDOUT;
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len);
	return -err;
}

static int try_connect(const struct doctor_patient *p, const struct addr *to)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(to, &ss);
	struct socket_rules rules = rules_of(p);
	int fd = socket_rules_open(to->family, SOCK_STREAM, &rules), err = 0;

	if (fd < 0)
		return fd;
	if (connect(fd, (struct sockaddr *)&ss, len) < 0)
		err = errno == EINPROGRESS ? await(fd) : -errno;
	close(fd);
	return err;
}

/* How many of ADDRESSES; 0 and *why: none is known. */
static int look_up(const struct target *t, struct addr *out, const char **why)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found;
	int n = 0, code;

	if (!target_is_name(t)) {
		out[0] = t->ip;
		return 1;
	}
	code = getaddrinfo(t->name, NULL, &hints, &found);
	if (code) {
		*why = gai_strerror(code);
		return 0;
	}
	for (const struct addrinfo *a = found; a && n < ADDRESSES; a = a->ai_next, n++) {
		out[n] = addr_from_sockaddr(a->ai_addr);
		out[n].port = target_port(t);
	}
	freeaddrinfo(found);
	return n;
}

/* Where a connection to it comes from; false, and said: there is no way. */
static bool find(const struct doctor_patient *p, const struct config_server *s, struct addr *out, struct doctor_report *r)
{
	struct addr at[ADDRESSES];
	const char *why = "no address";
	uint64_t begun = clock_ms();
	int n = look_up(outbounds_first(s), at, &why), err = -ENOENT;

	for (int i = 0; i < n && err; i++) {
		err = try_connect(p, &at[i]);
		*out = at[i];
	}
	if (!n)
		doctor_say(r, DOCTOR_NOTE, 0, NULL, "server %s: its name is not known here: %s", s->tag, why);
	else if (err)
		doctor_say(r, DOCTOR_NOTE, 0, NULL, "server %s does not answer err=%s", s->tag, err_name(err));
	else
		doctor_say(r, DOCTOR_OK, 0, NULL, "server %s answers, after %llu ms%s", s->tag, (unsigned long long)(clock_ms() - begun),
			   s->plugin.name ? "; behind a plugin, so the password is not tried"
			   : s->n_hops	  ? "; behind another proxy, so the password is not tried"
					  : "");
	return n && !err;
}

static void look_at_mtu(const struct doctor_patient *p, struct doctor_report *r)
{
	int mtu = tun_mtu_of(p->config, true);

	if (mtu <= TUN_MTU_MIN)
		doctor_say(r, DOCTOR_NOTE, 0, NULL,
			   "the path to the server is narrow: the TUN's MTU stays at %d, and UDP of that size travels in fragments", mtu);
	else
		doctor_say(r, DOCTOR_OK, 0, NULL, "the TUN's MTU will be %d, so that UDP fits the path to the server", mtu);
}

void doctor_look_servers(const struct doctor_patient *p, struct doctor_report *r)
{
	struct server_way *ways;

	if (!p->with_servers || !p->config->n_servers)
		return;
	ways = calloc((size_t)p->config->n_servers, sizeof(*ways));
	if (!ways)
		return;
	for (int i = 0; i < p->config->n_servers; i++) {
		const struct config_server *s = &p->config->servers[i];

		ways[i].rules = rules_of(p);
		ways[i].stands = find(p, s, &ways[i].at, r) && !s->plugin.name && !s->n_hops && s->mode & MODE_TCP_ONLY;
	}
	doctor_look_welcome(p, ways, r);
	free(ways);
	look_at_mtu(p, r);
}

/*
 * The servers of a config: is there a way to each, and how large may a packet on
 * it be? A connection is made and closed; nothing is sent, because a server of
 * Shadowsocks says nothing to whom it cannot tell from a prober.
 */
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
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
static int open_socket(const struct doctor_patient *p, int family)
{
	struct socket_rules rules = p->config->outbound;

	if (p->root && !rules.fwmark)
		rules.fwmark = p->config->up.mark ? p->config->up.mark : GATE_MARK;
	return socket_rules_open(family, SOCK_STREAM, &rules);
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
	int fd = open_socket(p, to->family), err = 0;

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

static void look_at(const struct doctor_patient *p, const struct config_server *s, struct doctor_report *r)
{
	struct addr at[ADDRESSES];
	const char *why = "no address";
	uint64_t begun = clock_ms();
	int n = look_up(outbounds_first(s), at, &why), err = -ENOENT;

	for (int i = 0; i < n && err; i++)
		err = try_connect(p, &at[i]);
	if (!n)
		doctor_say(r, DOCTOR_NOTE, 0, NULL, "server %s: its name is not known here: %s", s->tag, why);
	else if (err)
		doctor_say(r, DOCTOR_NOTE, 0, NULL, "server %s does not answer err=%s", s->tag, err_name(err));
	else
		doctor_say(r, DOCTOR_OK, 0, NULL, "server %s answers, after %llu ms", s->tag, (unsigned long long)(clock_ms() - begun));
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
	if (!p->with_servers || !p->config->n_servers)
		return;
	for (int i = 0; i < p->config->n_servers; i++)
		look_at(p, &p->config->servers[i], r);
	look_at_mtu(p, r);
}

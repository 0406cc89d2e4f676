/*
 * SIP003 plugins: a program of others stands between a Shadowsocks client and
 * its server, and one like it on the other side.
 *
 *	our client ── local (loopback) ── plugin ══ remote ══ plugin ── local ── our server
 *
 * A plugin is started, is ready when it listens, and is started again (with a
 * growing pause) when it ends; what wants to go through it waits while it starts
 * and is refused while it is down. It ends with us in any case: SIGTERM and 500 ms
 * later SIGKILL when we end in order, by the kernel when we are killed.
 *
 * What it does with the bytes is not known here, nor who dials or listens.
 */
#ifndef GATUN_TRANSPORT_PLUGIN_H
#define GATUN_TRANSPORT_PLUGIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/list.h"

struct plugin_options {
	const char *name;	  /* of the program: in $PATH, or a path */
	const char *options;	  /* SS_PLUGIN_OPTIONS, a secret; or NULL */
	const char *const *args;  /* of its command line, NULL-terminated; or NULL */
	struct target remote;	  /* client: the server; server: the public address, where it listens */
	struct addr local;	  /* server: where our inbound listens; client: family 0, a free port is taken */
	bool tcp, udp;		  /* what it carries (SIP003u: plugin_mode) */
	bool optional;		  /* nobody waits for it at the start: it may be down */
};

/* STARTING ends within three seconds, in one of the others. */
enum plugin_state { PLUGIN_STARTING, PLUGIN_READY, PLUGIN_DOWN };

struct plugin;
/* Copies the options and starts it; what cannot be started is down, with the
 * reason in the log. A client that asks for the same as another shares its
 * plugin: a reload that changes nothing leaves it running. NULL: out of memory
 * or ports. */
struct plugin *plugin_new(const struct plugin_options *);
/* The last who has it asks it to end; nobody may wait for it any more. What
 * still goes through it ends with it. */
void plugin_free(struct plugin *);

/* Was it made with these options? Where our inbound listens does not matter. */
bool plugin_is(const struct plugin *, const struct plugin_options *);
enum plugin_state plugin_state(const struct plugin *);
/* Where our client connects to, or our server listens. The same for all its lives. */
const struct addr *plugin_local(const struct plugin *);
bool plugin_carries_tcp(const struct plugin *);
bool plugin_carries_udp(const struct plugin *);

/* Who waits for a plugin that is starting. Told once, unless cancelled: it is
 * ready, or it is not to be had now. Never from inside the call. */
struct plugin_waiter {
	struct list node;
	void (*done)(struct plugin_waiter *, bool ready);
};
void plugin_wait(struct plugin *, struct plugin_waiter *, void (*done)(struct plugin_waiter *, bool ready));
void plugin_wait_cancel(struct plugin_waiter *); /* also of one that is zero */

/* Turns the loop until no plugin is starting. 0, or -errno if one did not become
 * ready (the reason has been logged) or the loop was stopped: -EINTR. */
int plugins_await(void);
/* A loopback address with a port that is free for TCP and UDP alike: where a
 * server's inbounds listen behind its plugin. 0 or -errno. */
int plugin_take_port(struct addr *);
/* Waits, at most half a second, until all that were freed are gone. */
void plugins_end(void);

/* To look at; borrowed until the loop turns. */
struct plugin_view {
	const char *name;
	const struct target *remote;
	enum plugin_state state;
	uint64_t starts; /* of the program */
	uint64_t deaths; /* it ended by itself, or could not start */
};
/* The i-th from 0; false: there are fewer. */
bool plugins_view(int i, struct plugin_view *);

#endif

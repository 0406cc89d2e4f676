/*
 * The sandbox of `gatun run`: user, network, mount and PID namespaces with one
 * TUN as the only way out, made by the caller himself (docs/sandbox.md).
 * The engine stays outside; its end is the TUN fd.
 */
#ifndef GATUN_SYS_SANDBOX_H
#define GATUN_SYS_SANDBOX_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/addr.h"
#include "sys/inherit.h"
#include "sys/tundev.h"

#define SANDBOX_DEVICE "gatun0"

struct sandbox_options {
	char *const *argv;	/* the command */
	int mtu;
	bool dns;		/* bind-mount a resolv.conf that names the gateway */
	struct addr gateway4, gateway6; /* the gateway's own addresses on the TUN's link */
	struct addr self4, self6;	/* the command's */
	struct inherit *inherited; /* what the caller gave gatun and the command is to get */
};

struct sandbox {
	pid_t child;		/* the sandbox's init; its status is the command's own */
	int tun_fd;		/* the engine's end */
	struct tun_features features;
	int go_fd;		/* write one byte when the engine is ready: then the command starts */
};

/*
 * Fills in the four addresses: 192.0.0.1/30 and 192.0.0.2, of the block that
 * RFC 7335 set aside for the link between a host and its own IPv4 gateway, so
 * that no site and no fake IP (198.18.0.0/15) is hidden by them; and
 * fd67:6174:756e::1/64 and ::2 (a ULA that spells "gatun").
 */
void sandbox_default_addresses(struct sandbox_options *);

/* 0, or an exit code of `run` (125) with a sentence in err.
 * The init waits at go_fd; it and all it started end when go_fd is closed,
 * and so when this process dies in whatever way. */
int sandbox_start(const struct sandbox_options *, struct sandbox *, char *err, size_t err_size);

/*
 * From here on signals sent to this process reach the command, and job control
 * works: Ctrl-C and Ctrl-Z go to the whole foreground group, so the command has
 * its own copy and ours is dropped; what `kill` sends us is passed on; a stop of
 * either side stops both. Signals that were ignored from the start stay ignored.
 * Handlers do it: the engine's loop is not involved. One sandbox per process.
 */
void sandbox_forward_signals(const struct sandbox *, const struct inherit *);

/* After the child's end: gives the terminal back to our process group if the
 * command (an interactive shell, say) left it to a group that is no more. */
void sandbox_restore_terminal(const struct inherit *);

#endif

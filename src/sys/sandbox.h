/*
 * The sandbox of `gatun run`: user, network, mount and PID namespaces with one
 * TUN as the only way out, made by the caller himself (interface.md, "run, in
 * detail"). The engine stays outside; its end is the TUN fd.
 */
#ifndef GATUN_SYS_SANDBOX_H
#define GATUN_SYS_SANDBOX_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/addr.h"
#include "sys/tundev.h"

struct sandbox_options {
	char *const *argv;	/* the command */
	int mtu;
	bool dns;		/* bind-mount a resolv.conf that names the gateway */
	struct addr gateway4, gateway6; /* the gateway's own addresses on the TUN's link */
	struct addr self4, self6;	/* the command's */
};

struct sandbox {
	pid_t child;		/* the sandbox's init; its status is the command's own */
	int tun_fd;		/* the engine's end */
	struct tun_features features;
	int go_fd;		/* write one byte when the engine is ready: then the command starts */
};

/* 0, or an exit code of `run` (125) with a sentence in err. */
int sandbox_start(const struct sandbox_options *, struct sandbox *, char *err, size_t err_size);

#endif

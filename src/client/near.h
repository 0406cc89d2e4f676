/*
 * The near end of a client: where its flows come from. A TUN (near_tun.c), or
 * the kernel's own sockets, to which its rules bring what is captured
 * (near_ports.c). What becomes of the flows is the client's business.
 */
#ifndef GATUN_CLIENT_NEAR_H
#define GATUN_CLIENT_NEAR_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "conf/config.h"
#include "inbound/inbound.h"
#include "io/datagram.h"
#include "sys/tundev.h"

#define NEAR_PORTS_MAX 2

enum near_kind { NEAR_TUN, NEAR_TPROXY, NEAR_REDIRECT };

struct tun_owners;

struct near_options {
	enum near_kind kind;

	/* NEAR_TUN */
	int tun_fd; /* taken on success */
	struct tun_features features;
	int mtu;
	bool follow;  /* the path to the servers is asked for now and then, and who sends too much is told */
	char device[IFNAMSIZ]; /* where it is in our namespace: its MTU may change; else "" */
	struct tun_owners *owners; /* of several workers, or NULL; borrowed */
	int worker;

	/* the others: one address of each family that is served */
	struct addr listen[NEAR_PORTS_MAX];
	struct addr listen_dns[NEAR_PORTS_MAX]; /* NEAR_REDIRECT; family 0: names are not touched */
	int n_listen;
};

struct near;
struct near_ops {
	/* Its datagrams, or NULL: it has none. */
	struct datagram_port *(*port)(struct near *);
	/* Another config, borrowed from now on. */
	void (*change)(struct near *, const struct config *);
	/* Nothing new comes from now on. */
	void (*quiet)(struct near *);
	/* In this order: its datagrams, after those who are bound to them; after dns_free() the whole. */
	void (*free_port)(struct near *);
	void (*free)(struct near *);
	/* Packets that have come: who asks twice knows whether it is silent. 0 where they are not counted. */
	uint64_t (*heard)(const struct near *);
};
struct near {
	const struct near_ops *ops;
};

/* After dns_init(). The config is borrowed. NULL: *err is -errno, which has been logged if it is -ECANCELED. */
struct near *near_open_tun(const struct config *, const struct near_options *, const struct inbound_events *, void *owner, int *err);
struct near *near_open_ports(const struct config *, const struct near_options *, const struct inbound_events *, void *owner, int *err);

#endif

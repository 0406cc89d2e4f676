/*
 * A TUN as the near end:
 *
 *	tun ── tcp ── stack ──► the client's stream()
 *	    ── udp ── tun_udp ──► port()
 *	    ── icmp, fragments: here
 *
 * Of several workers each has one queue of the device (inbound/tun_owners.h).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/list.h"
#include "base/log.h"
#include "client/near.h"
#include "client/outbounds.h"
#include "client/status_client.h"
#include "client/tun_mtu.h"
#include "engine/common.h"
#include "engine/network.h"
#include "engine/status.h"
#include "inbound/icmp.h"
#include "inbound/pcap_ring.h"
#include "inbound/reassembly.h"
#include "inbound/stack.h"
#include "inbound/tun.h"
#include "inbound/tun_owners.h"
#include "inbound/tun_udp.h"

#define PATH4_MIN 576
#define PATH6_MIN 1280 /* IPv6 knows no less */

struct near_tun {
	struct near near;
	const struct config *config;
	struct tun *tun;
	struct tun_udp *udp;
	struct reassembly *reassembly;
	struct pcap_ring *pcap;
	struct tun_owners *owners; /* joined, or NULL */
	char device[IFNAMSIZ];	   /* or "" */
	bool quiet, stacked;
};

static struct near_tun *of(struct near *n)
{
	return container_of(n, struct near_tun, near);
}

/* ---- the TUN's handlers ---- */

static void on_tcp(void *owner, const struct packet *p)
{
	if (!((struct near_tun *)owner)->quiet)
		stack_input(p);
}

static void on_udp(void *owner, const struct packet *p)
{
	struct near_tun *t = owner;

	if (!t->quiet)
		tun_udp_input(t->udp, p);
}

/* A command in its sandbox may want a sign of life; of a whole machine's pings none is answered with
 * what is not so. */
static enum icmp_others others_ping(const struct config *c)
{
	switch (c->icmp_reply) {
	case PING_SILENT:
		return ICMP_OTHERS_SILENT;
	case PING_REPLY:
		return ICMP_OTHERS_REPLY;
	case PING_REFUSE:
		return ICMP_OTHERS_REFUSE;
	default:
		return c->captured ? ICMP_OTHERS_REFUSE : ICMP_OTHERS_REPLY;
	}
}

static void on_icmp(void *owner, const struct packet *p)
{
	struct near_tun *t = owner;

	icmp_input(t->tun, p, others_ping(t->config));
}

static void on_fragment(void *owner, const struct packet *p)
{
	struct near_tun *t = owner;

	if (!t->quiet)
		reassembly_input(t->reassembly, p);
}

static void on_batch_end(void *owner)
{
	struct near_tun *t = owner;

	if (t->quiet)
		return;
	stack_batch_end();
	tun_udp_batch_end(t->udp);
}

/* ---- the path ---- */

static int device_mtu(const char *name)
{
	struct ifreq r = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc;

	if (fd < 0)
		return -errno;
	memcpy(r.ifr_name, name, IFNAMSIZ);
	rc = ioctl(fd, SIOCGIFMTU, &r) < 0 ? -errno : r.ifr_mtu;
	close(fd);
	return rc;
}

/* Who owns the device has given it another MTU. */
static void follow_device(struct near_tun *t)
{
	int mtu = t->device[0] ? device_mtu(t->device) : 0;

	if (mtu < PATH6_MIN || mtu == tun_mtu(t->tun))
		return;
	tun_set_mtu(t->tun, mtu);
	stack_follow_mtu();
}

/* A device that keeps its MTU (it is in a sandbox, or has one by order) may be wider than
 * the path: its users are told as by a router. */
static void follow_path(struct near_tun *t)
{
	int path = tun_mtu_of_path(t->config), path6;

	if (path >= UINT16_MAX - TUN_MTU_IPV6_EXTRA) {
		tun_udp_set_path(t->udp, 0, 0);
		return;
	}
	path6 = path + TUN_MTU_IPV6_EXTRA;
	tun_udp_set_path(t->udp, (uint16_t)(path < PATH4_MIN ? PATH4_MIN : path), (uint16_t)(path6 < PATH6_MIN ? PATH6_MIN : path6));
}

static void on_network(void *owner, const struct netwatch_change *c)
{
	struct near_tun *t = owner;

	(void)c;
	follow_device(t);
	follow_path(t);
	if (!t->quiet)
		stack_tell_unheard(network_is_ours);
}

/* ---- set-up ---- */

static int open_tun(struct near_tun *t, const struct near_options *o)
{
	struct tun_handlers handlers = {
		.tcp = on_tcp,
		.udp = on_udp,
		.icmp = on_icmp,
		.fragment = on_fragment,
		.batch_end = on_batch_end,
		.owner = t,
	};

	t->tun = tun_new(o->tun_fd, o->features, o->mtu, &handlers);
	if (!t->tun)
		return -errno;
	client_status_add_tun(t->tun);
	if (!t->config->pcap_file)
		return 0;
	t->pcap = pcap_ring_open(t->config->pcap_file, t->config->pcap_limit);
	if (!t->pcap) {
		log_error("cannot write the capture %s err=%s", t->config->pcap_file, err_name(errno));
		return -errno;
	}
	tun_set_pcap(t->tun, t->pcap);
	return 0;
}

static int open_layers(struct near_tun *t, const struct near_options *o, const struct inbound_events *events, void *owner)
{
	int err = stack_init(t->tun, events, owner);

	if (err)
		return err;
	t->stacked = true;
	t->reassembly = reassembly_new(t->tun);
	t->udp = tun_udp_new(t->tun, outbounds_udp_payload(t->config));
	if (!t->udp || !t->reassembly)
		return -ENOMEM;
	if (o->follow) {
		memcpy(t->device, o->device, sizeof(t->device));
		network_set_listener(on_network, t);
		follow_device(t);
		follow_path(t);
	}
	if (!o->owners)
		return 0;
	err = tun_owners_join(o->owners, o->worker, t->tun);
	if (!err)
		t->owners = o->owners;
	return err;
}

/* ---- as a near end ---- */

static struct datagram_port *port(struct near *n)
{
	return tun_udp_port(of(n)->udp);
}

static void change(struct near *n, const struct config *c)
{
	of(n)->config = c;
}

static void make_quiet(struct near *n)
{
	of(n)->quiet = true;
}

static void free_port(struct near *n)
{
	struct near_tun *t = of(n);

	network_set_listener(NULL, NULL);
	if (t->udp)
		tun_udp_free(t->udp);
	if (t->reassembly)
		reassembly_free(t->reassembly);
	t->udp = NULL;
	t->reassembly = NULL;
}

static void free_tun(struct near *n)
{
	struct near_tun *t = of(n);

	if (t->stacked)
		stack_free();
	engine_drain();
	if (t->owners)
		tun_owners_leave(t->owners);
	if (t->tun) {
		engine_status_remove(t->tun);
		tun_free(t->tun);
	}
	if (t->pcap)
		pcap_ring_close(t->pcap);
	free(t);
}

static uint64_t heard(const struct near *n)
{
	return tun_counters(of((struct near *)(uintptr_t)n)->tun)->rx_packets;
}

static const struct near_ops ops = {
	.port = port,
	.change = change,
	.quiet = make_quiet,
	.free_port = free_port,
	.free = free_tun,
	.heard = heard,
};

struct near *near_open_tun(const struct config *config, const struct near_options *o, const struct inbound_events *events, void *owner,
			   int *err)
{
	struct near_tun *t = calloc(1, sizeof(*t));

	*err = -ENOMEM;
	if (!t)
		return NULL;
	t->near.ops = &ops;
	t->config = config;
	*err = open_tun(t, o);
	if (!*err)
		*err = open_layers(t, o, events, owner);
	if (!*err)
		return &t->near;
	make_quiet(&t->near);
	free_port(&t->near);
	free_tun(&t->near);
	return NULL;
}

/*
 * Fragments and their owners; see tun_owners.h.
 *
 * Who owns a datagram is no table but the steering's own hash, so a worker that
 * begins again owns what it owned before, and nothing here can be stale. What is
 * handed over is the packet as it stands after reassembly, with what the kernel
 * said of its checksum and its segments; the owner parses and verifies it
 * like any other.
 */
#include "inbound/tun_owners.h"

#include <stdlib.h>

#include "inbound/tun.h"
#include "io/inboxes.h"
#include "sys/steering.h"

struct tun_owners {
	uint32_t n;
	int self;
	struct inboxes *inboxes;
	struct tun *tun;
};

/* Before a packet in an inbox. */
struct note {
	uint16_t gso_size;
	bool l4_csum_ok;
};

static void on_packet(void *owner, const void *data, struct slice ip)
{
	const struct tun_owners *o = owner;
	const struct note *note = data;

	tun_inject_from(o->tun, ip, note->gso_size, note->l4_csum_ok);
}

bool tun_owners_hand_over(struct tun_owners *o, const struct packet *p)
{
	struct note note = { .gso_size = p->gso_size, .l4_csum_ok = p->l4_csum_ok };
	int owner = (int)steering_queue(p->proto, &p->src, &p->dst, o->n);

	if (owner == o->self)
		return false;
	inboxes_send(o->inboxes, owner, &note, slice_data(&p->ip), p->ip.len);
	return true;
}

int tun_owners_join(struct tun_owners *o, int worker, struct tun *t)
{
	int err = inboxes_join(o->inboxes, worker, on_packet, o);

	if (err)
		return err;
	o->self = worker;
	o->tun = t;
	tun_set_owners(t, o);
	return 0;
}

void tun_owners_leave(struct tun_owners *o)
{
	if (!o->tun)
		return;
	tun_set_owners(o->tun, NULL);
	inboxes_leave(o->inboxes);
	o->tun = NULL;
}

struct tun_owners *tun_owners_new(int workers)
{
	struct tun_owners *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	o->n = (uint32_t)workers;
	o->inboxes = inboxes_new(workers, sizeof(struct note));
	if (o->inboxes)
		return o;
	free(o);
	return NULL;
}

void tun_owners_free(struct tun_owners *o)
{
	if (!o)
		return;
	inboxes_free(o->inboxes);
	free(o);
}

int tun_owners_fds(const struct tun_owners *o, int worker, int *fds)
{
	return inboxes_fds(o->inboxes, worker, fds);
}

/*
 * Resets that nobody could hear. An address of this machine goes, and the connections of ours from there
 * end; but under `up` applications have that very address, and their kernel takes no packet for it until it is
 * back (a link that goes down and comes up, another lease and the first again). Who then has something to
 * say is told by the answer to it; who only listens, as a download does, would wait for ever, where
 * without gatun it would have gone on.
 *
 * So the last of these resets are kept, with what the application's kernel needs to believe them, and said
 * again when the address is there. Twice does no harm: a reset of what is not there is ignored. A LAN
 * client's address is never ours; his reset reached him, and its place is another's after a while.
 */
#include "inbound/stack_conn.h"

#include "lwip/tcp.h"

#define UNHEARD_MAX 1024

static struct unheard {
	struct addr app, target; /* app.family 0: none */
	uint32_t seq, ack;
} unheard[UNHEARD_MAX];
static unsigned next, count;

void stack_unheard_add(const struct tcp_pcb *pcb)
{
	struct unheard *u = &unheard[next++ % UNHEARD_MAX];

	if (!u->app.family)
		count++;
	stack_port_ends(pcb, &u->app, &u->target);
	u->seq = pcb->snd_nxt;
	u->ack = pcb->rcv_nxt;
}

void stack_tell_unheard(bool (*is_back)(const struct addr *))
{
	for (unsigned i = 0; count && i < UNHEARD_MAX; i++) {
		struct unheard *u = &unheard[i];

		if (!u->app.family || !is_back(&u->app))
			continue;
		stack_port_reset(&u->app, &u->target, u->seq, u->ack);
		u->app.family = 0;
		count--;
	}
}

void stack_unheard_free(void)
{
	for (unsigned i = 0; count && i < UNHEARD_MAX; i++)
		unheard[i].app.family = 0;
	count = next = 0;
}

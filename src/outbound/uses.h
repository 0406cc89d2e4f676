/*
 * The life of an outbound that others hold on to: freed by its owner while dials,
 * streams or ports of it live (a reload put another in its place), it goes with the last
 * of them, in the deferred pass.
 */
#ifndef GATUN_OUTBOUND_USES_H
#define GATUN_OUTBOUND_USES_H

#include <stdbool.h>
#include <stdint.h>

#include "loop/loop.h"

struct outbound_uses {
	uint32_t n;
	bool freed;
	struct loop_work work;
};

static inline void outbound_use(struct outbound_uses *u)
{
	u->n++;
}

/* The last use of it, in every sense: free_now() is told its work. */
static inline void outbound_release(struct outbound_uses *u, void (*free_now)(struct loop_work *))
{
	if (--u->n == 0 && u->freed)
		loop_defer(&u->work, free_now);
}

/* The owner asks for nothing more. */
static inline void outbound_leave(struct outbound_uses *u, void (*free_now)(struct loop_work *))
{
	u->freed = true;
	if (!u->n)
		free_now(&u->work);
}

#endif

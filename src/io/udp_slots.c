/*
 * The shared receive slots of udp_slots.h. One mapping, a stack of free slots,
 * and a timer that runs only while there was traffic: when a whole period
 * passed without a take, the pages are given back (MADV_DONTNEED; the mapping
 * stays). It knows nothing of sockets.
 */
#include "io/udp_slots.h"

#include <stdbool.h>
#include <sys/mman.h>

#include "loop/loop.h"

#define SLOT_STRIDE (UDP_SLOT_SIZE + 18 * 64)
#define IDLE_MS 5000

static uint8_t *base;
static struct buf slots[UDP_SLOTS];
static struct buf *free_stack[UDP_SLOTS];
static int free_count;
static struct loop_timer idle_timer;
static bool used_since;

static void slot_release(struct buf *b)
{
	free_stack[free_count++] = b;
}

static bool map_slots(void)
{
	void *m = mmap(NULL, (size_t)SLOT_STRIDE * UDP_SLOTS, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (m == MAP_FAILED)
		return false;
	/* A huge page would make one datagram cost 2 MiB. */
	madvise(m, (size_t)SLOT_STRIDE * UDP_SLOTS, MADV_NOHUGEPAGE);
	base = m;
	for (int i = UDP_SLOTS - 1; i >= 0; i--) {
		slots[i] = (struct buf){ .size = UDP_SLOT_SIZE, .release = slot_release, .data = base + (size_t)i * SLOT_STRIDE };
		free_stack[free_count++] = &slots[i];
	}
	return true;
}

static void on_idle(struct loop_timer *t)
{
	if (used_since || free_count < UDP_SLOTS) {
		used_since = false;
		loop_timer_start(t, IDLE_MS, on_idle);
		return;
	}
	madvise(base, (size_t)SLOT_STRIDE * UDP_SLOTS, MADV_DONTNEED);
}

int udp_slots_take(struct buf **out, int max)
{
	int n = 0;

	if (!base && !map_slots())
		return 0;
	used_since = true;
	if (!loop_timer_armed(&idle_timer))
		loop_timer_start(&idle_timer, IDLE_MS, on_idle);
	while (n < max && free_count > 0) {
		out[n] = free_stack[--free_count];
		out[n]->refs = 1;
		n++;
	}
	return n;
}

int udp_slots_used(void)
{
	return base ? UDP_SLOTS - free_count : 0;
}

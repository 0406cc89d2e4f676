/* One life of one worker; see worker.h. */
#include "engine/worker.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "engine/worker_link.h"
#include "engine/worker_words.h"
#include "flow/flow_card.h"
#include "io/kept.h"
#include "loop/loop.h"

#define SWEEP_MS 10000

static struct worker_life *life;
static struct loop_timer sweep;
static enum log_level level;

bool worker_is(void)
{
	return life != NULL;
}

int worker_index(void)
{
	return life ? life->index : 0;
}

struct worker_shared *worker_shared(void)
{
	return life ? life->shared : NULL;
}

static void tell(const struct worker_message *m, int fd)
{
	worker_words_send(life->words, m, fd); /* without a supervisor there is nobody to complain to */
}

/* ---- io/kept.h ---- */

static int take(void *owner, int type, const struct addr *at)
{
	struct keeper_item *i = keeper_find(owner, type, at);
	int fd;

	if (!i)
		return -ENOENT;
	if (i->open)
		return -EADDRINUSE;
	fd = i->fd;
	i->fd = -1;
	i->open = true;
	return fd;
}

static void keep(void *owner, int type, const struct addr *at, int fd)
{
	struct worker_message m = { .word = WORKER_LISTENS, .type = type, .at = *at };
	struct keeper_item *i;

	keeper_put(owner, type, at, -1);
	i = keeper_find(owner, type, at);
	if (i)
		i->open = true;
	tell(&m, fd);
}

static void drop(void *owner, int type, const struct addr *at)
{
	struct worker_message m = { .word = WORKER_LEFT, .type = type, .at = *at };

	keeper_drop(owner, type, at);
	tell(&m, -1);
}

static struct kept_keeper keeper = { .take = take, .keep = keep, .drop = drop };

/* What an earlier life had open and this one does not want, by now that it has heard
 * of what no config names: clients would wait there in vain. */
static void on_sweep(struct loop_timer *t)
{
	struct keeper *k = life->keeper;

	(void)t;
	for (int i = k->n - 1; i >= 0; i--) {
		struct keeper_item item = k->items[i];

		if (!item.open)
			drop(k, item.type, &item.at);
	}
}

/* ---- life ---- */

void worker_begin(struct worker_life *l)
{
	life = l;
	keeper.owner = l->keeper;
	keeper.first = l->first;
	kept_set_keeper(&keeper);
	log_set_worker(l->index);
	flow_cards_number((unsigned)l->index, (unsigned)l->shared->n);
	level = log_level();
	if (!l->first && level > LOG_LEVEL_WARN)
		log_set_level(LOG_LEVEL_WARN); /* it would repeat what the first has said */
}

int worker_ready(void)
{
	struct worker_message m = { .word = WORKER_READY };
	int err;

	if (!life)
		return 0;
	loop_timer_start(&sweep, SWEEP_MS, on_sweep);
	log_set_level(level);
	err = worker_link_serve(life->link);
	if (!err)
		err = session_owners_join(life->shared->owners, life->index);
	if (err)
		log_error("out of memory");
	else
		tell(&m, -1);
	return err;
}

void worker_ending(void)
{
	if (!life)
		return;
	kept_set_keeper(NULL);
	loop_timer_stop(&sweep);
	session_owners_leave(life->shared->owners);
	worker_link_close();
}

bool worker_report_counters(void)
{
	if (life)
		flow_counters_read(&life->shared->counters[life->index]);
	return life != NULL;
}

bool worker_report_user(const char *where, const char *name, const struct ss_user_counters *n)
{
	struct worker_message m = { .word = WORKER_USER, .counters = *n };

	if (!life)
		return false;
	snprintf(m.where, sizeof(m.where), "%s", where);
	snprintf(m.name, sizeof(m.name), "%s", name);
	tell(&m, -1);
	return true;
}

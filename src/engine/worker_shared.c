/* See worker_shared.h. */
#include "engine/worker_shared.h"

#include <stdlib.h>

#include "base/shared.h"

/* SIP022: a salt is remembered for as long as its timestamp may pass. */
#define SALT_KEEP_MS 60000
#define SALT_MAX (1u << 20)

struct salt_store *worker_salts_new(bool shared)
{
	return shared ? salt_store_new_shared(SALT_KEEP_MS, SALT_MAX) : salt_store_new(SALT_KEEP_MS, SALT_MAX);
}

struct worker_shared *worker_shared_new(int n)
{
	struct worker_shared *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->n = n;
	s->salts = worker_salts_new(true);
	s->old_salts = salt_table_new(true);
	s->owners = session_owners_new(n);
	s->proven = proven_new(true);
	s->sockets = own_sockets_new(n);
	s->counters = shared_map((size_t)n * sizeof(*s->counters), true);
	if (!s->salts || !s->old_salts || !s->owners || !s->proven || !s->sockets || !s->counters) {
		worker_shared_free(s);
		return NULL;
	}
	return s;
}

void worker_shared_free(struct worker_shared *s)
{
	if (!s)
		return;
	salt_store_free(s->salts);
	salt_table_free(s->old_salts);
	session_owners_free(s->owners);
	proven_free(s->proven);
	own_sockets_free(s->sockets);
	if (s->counters)
		shared_unmap(s->counters, (size_t)s->n * sizeof(*s->counters));
	free(s);
}

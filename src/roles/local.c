/*
 * `gatun local`: the inbounds that the config names (client/local.h), in this process or in
 * several workers, until somebody ends it.
 */
#include "client/local.h"

#include "engine/common.h"
#include "engine/fake_names.h"
#include "roles/life.h"
#include "roles/roles.h"
#include "supervisor/workers.h"

static int open_inbounds(void *owner, const struct config *config)
{
	struct local **l = owner;

	*l = local_open(config, NULL);
	if (!*l)
		return -ECANCELED;
	engine_set_upkeep(local_upkeep, *l);
	return 0;
}

static void *core(void *owner)
{
	return *(struct local **)owner;
}

static void close_inbounds(void *owner)
{
	struct local **l = owner;

	if (*l)
		local_close(*l);
}

static int run_local(const struct config *config)
{
	static const struct life life = { .mode = "local", .signals = true, .open = open_inbounds, .steps = &local_steps, .core = core, .close = close_inbounds };
	struct local *l = NULL;

	return life_run(&life, &l, config) ? 1 : 0;
}

int role_local(const struct config *config)
{
	static const struct workers_plan plan = { .mode = "local", .run = run_local };

	if (local_has_fake_dns(config) && fake_names_open(config, false) < 0) /* one map for all workers */
		return 1;
	return workers_wanted(config) > 1 ? workers_run(config, &plan) : run_local(config);
}

/*
 * `gatun local`: the inbounds that the config names (client/local.h), in this process or in
 * several workers, until somebody ends it.
 */
#include "roles/roles.h"

#include "client/local.h"
#include "engine/common.h"
#include "engine/fake_names.h"
#include "engine/reload.h"
#include "engine/service.h"
#include "engine/status.h"
#include "engine/worker.h"
#include "supervisor/workers.h"

static int update(void *owner, const struct config *config)
{
	return local_update(owner, config);
}

static int run_local(const struct config *config)
{
	struct local *l;
	int err = engine_start(config);

	if (err)
		return 1;
	engine_status_set_mode("local");
	engine_stop_on_signals();
	l = local_open(config, NULL);
	err = l ? engine_drop_privileges(config) : -1;
	if (!err)
		err = engine_await_plugins();
	if (!err) {
		engine_set_upkeep(local_upkeep, l);
		reload_begin(config, update, l, !worker_is());
		service_ready("serving");
		engine_loop();
	}
	if (l)
		local_close(l);
	reload_end();
	if (!err)
		engine_log_summary();
	engine_end();
	return err ? 1 : 0;
}

int role_local(const struct config *config)
{
	static const struct workers_plan plan = { .mode = "local", .run = run_local };

	if (local_has_fake_dns(config) && fake_names_open(config, false) < 0) /* one map for all workers */
		return 1;
	return workers_wanted(config) > 1 ? workers_run(config, &plan) : run_local(config);
}

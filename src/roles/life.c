/* The order of things in an engine's life: life.h. */
#include "roles/life.h"

#include "engine/common.h"
#include "engine/service.h"
#include "engine/status.h"
#include "engine/worker.h"

static int begin(const struct life *l, void *owner, const struct config *config)
{
	int err;

	engine_status_set_mode(l->mode);
	if (l->signals)
		engine_stop_on_signals();
	err = l->open(owner, config);
	if (!err)
		err = engine_drop_privileges(config);
	if (!err)
		err = engine_await_plugins();
	return err || !l->stands ? err : l->stands(owner);
}

int life_run(const struct life *l, void *owner, const struct config *config)
{
	int err = engine_start(config);

	if (err)
		return err;
	err = begin(l, owner, config);
	if (!err) {
		reload_begin(config, l->steps, l->core ? l->core(owner) : owner, l->signals && !worker_is()); /* a worker's supervisor hears SIGHUP */
		service_ready("serving");
		engine_loop();
	}
	engine_set_upkeep(NULL, NULL);
	l->close(owner);
	reload_end();
	if (!err)
		engine_log_summary();
	engine_end();
	return err;
}

/*
 * Reloading. Two configs are there at most, that of the start and the newest; what an
 * engine opened once and for all may point into the first for ever, so only what is
 * updated has to care. Keys that take effect at a start only are compared with
 * that first one, and named.
 *
 * It runs to its end within one turn of the loop: signals that came meanwhile are
 * one more reload, however many they were. Among workers the end is a word of the
 * supervisor's, and the turn waits for it (worker_link.c). It does not know what an engine is.
 */
#include "engine/reload.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "conf/up.h"
#include "engine/common.h"
#include "engine/service.h"
#include "engine/status.h"
#include "loop/loop.h"

static const struct reload_source *source;

static struct {
	const struct config *initial;
	struct config *newest; /* or NULL: still the first */
	struct config *pending; /* or NULL: prepared, and waits for the word */
	struct config asked; /* that one as it was read; borrows from it */
	const struct reload_steps *steps;
	void *owner;
	struct loop_signal hangup;
} reload;

void reload_set_source(const struct reload_source *s)
{
	source = s;
}

bool reload_has_source(void)
{
	return source != NULL;
}

/* ---- what only a start can change ---- */

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_range(const struct config_prefix *a, const struct config_prefix *b)
{
	return a->len == b->len && addr_equal(&a->at, &b->at);
}

static bool same_fakes(const struct config *a, const struct config *b)
{
	return same_range(&a->fake4, &b->fake4) && same_range(&a->fake6, &b->fake6) && a->fake_expire == b->fake_expire &&
	       same_text(a->fake_file, b->fake_file);
}

static void warn_of_the_rest(const struct config *a, const struct config *b)
{
	char up[160];
	const struct { bool same; const char *keys; } fixed[] = {
		{ a->workers == b->workers, "workers" },
		{ a->dns == b->dns, "dns_mode" },
		{ target_equal(&a->dns_upstream, &b->dns_upstream), "dns_upstream" },
		{ same_fakes(a, b), "fake_dns_ipv4_network, fake_dns_ipv6_network, fake_dns_record_expire_duration, fake_dns_database_path" },
		{ a->mtu == b->mtu || (!b->mtu && !a->captured), "tun_mtu" }, /* run has filled in what its file did not say */
		{ !up_fixed_differs(&a->up, &b->up, up, sizeof(up)), up },
		{ same_text(a->control, b->control), "control" },
		{ same_text(a->user, b->user), "user" },
		{ same_text(a->plugin_user, b->plugin_user), "plugin_user" },
		{ same_text(a->manager.address, b->manager.address) && a->manager.port == b->manager.port, "manager_address, manager_port" },
	};

	for (size_t i = 0; i < sizeof(fixed) / sizeof(*fixed); i++) {
		struct log_site own = { 0 };

		if (!fixed[i].same)
			log_at(&own, LOG_LEVEL_WARN, "changed in the config, but not before the next start: %s", fixed[i].keys);
	}
}

/* Of that, what an engine would look at again: a worker that begins later is as the others are. */
static void keep_the_rest(struct config *fresh, const struct config *initial)
{
	fresh->dns = initial->dns;
	fresh->dns_upstream = initial->dns_upstream;
	fresh->mtu = initial->mtu;
	fresh->up.no_ipv6 = initial->up.no_ipv6;
}

/* ---- the reload ---- */

static void take(struct config *fresh)
{
	struct config *old = reload.newest;

	reload.newest = fresh;
	if (old)
		config_free(old);
	free(old);
}

/* Each is said: whoever sent two signals in a second waits for two answers. */
static void say(enum log_level level, const char *what)
{
	struct log_site own = { 0 };

	if (log_level() >= level)
		log_at(&own, level, "%s", what);
}

static int refuse(struct config *fresh, int err)
{
	config_free(fresh);
	free(fresh);
	say(LOG_LEVEL_ERROR, "the config was not reloaded: nothing has changed");
	return err;
}

/* 0 or -errno, logged, and in `why` as a sentence. */
static int prepare(char *why, size_t size)
{
	struct config *fresh = calloc(1, sizeof(*fresh));
	int err;

	if (!fresh)
		return -ENOMEM;
	if (!source->read(source->owner, fresh, why, size))
		return refuse(fresh, -EINVAL);
	reload.asked = *fresh;
	keep_the_rest(fresh, reload.initial);
	err = engine_prepare(fresh);
	if (!err) {
		err = reload.steps->prepare(reload.owner, fresh);
		if (err)
			engine_withdraw();
	}
	if (err) {
		if (!*why)
			snprintf(why, size, "it cannot be had, the log says what: %s", err_name(err));
		return refuse(fresh, err);
	}
	reload.pending = fresh;
	return 0;
}

static void apply(void)
{
	struct config *fresh = reload.pending;

	reload.pending = NULL;
	engine_apply(fresh);
	reload.steps->apply(reload.owner, fresh);
	warn_of_the_rest(reload.initial, &reload.asked);
	take(fresh);
	say(LOG_LEVEL_INFO, "the config has been reloaded");
}

static void withdraw(void)
{
	struct config *fresh = reload.pending;

	reload.pending = NULL;
	reload.steps->withdraw(reload.owner);
	engine_withdraw();
	refuse(fresh, 0);
}

static int run(char *why, size_t size)
{
	int err;

	service_reloading();
	err = prepare(why, size);
	if (!err)
		apply();
	service_reloaded();
	return err;
}

static void on_hangup(struct loop_signal *s)
{
	char why[256] = "";

	(void)s;
	run(why, sizeof(why));
}

json_t *reload_request(void)
{
	char why[256] = "";

	if (!source)
		return engine_request_error("there is no config file (-c) to read again");
	if (run(why, sizeof(why)) != 0)
		return engine_request_error("nothing has changed: %s", why);
	return json_pack("{s:b}", "reloaded", 1);
}

static json_t *on_request(void *owner, const json_t *request)
{
	(void)owner, (void)request;
	return reload_request();
}

/* ---- with others ---- */

static json_t *on_prepare(void *owner, const json_t *request)
{
	char why[256] = "";

	(void)owner, (void)request;
	if (reload.pending)
		withdraw(); /* whoever asked has not waited for the answer */
	if (!source || prepare(why, sizeof(why)) != 0)
		return engine_request_error("%s", *why ? why : "out of memory");
	return json_pack("{s:b}", "prepared", 1);
}

/* Another life than the one that prepared has nothing to apply: it hears what it missed when it is ready. */
static json_t *on_apply(void *owner, const json_t *request)
{
	(void)owner, (void)request;
	if (reload.pending)
		apply();
	return json_pack("{s:b}", "reloaded", 1);
}

static json_t *on_withdraw(void *owner, const json_t *request)
{
	(void)owner, (void)request;
	if (reload.pending)
		withdraw();
	return json_pack("{s:b}", "reloaded", 0);
}

bool reload_is_pending(void)
{
	return reload.pending != NULL;
}

/* ---- life ---- */

void reload_begin(const struct config *initial, const struct reload_steps *steps, void *owner, bool on_signal)
{
	reload.initial = initial;
	reload.steps = steps;
	reload.owner = owner;
	engine_request_add("reload", on_request, NULL);
	engine_request_add(RELOAD_PREPARE, on_prepare, NULL);
	engine_request_add(RELOAD_APPLY, on_apply, NULL);
	engine_request_add(RELOAD_WITHDRAW, on_withdraw, NULL);
	if (on_signal && source)
		loop_signal_start(&reload.hangup, SIGHUP, on_hangup);
}

void reload_forget(void)
{
	loop_signal_stop(&reload.hangup);
	reload.newest = reload.pending = NULL;
}

void reload_end(void)
{
	loop_signal_stop(&reload.hangup);
	take(NULL);
}

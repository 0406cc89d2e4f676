/*
 * Online config; see online.h.
 *
 *	start:  fetch ── good? ──► servers of the config, cache
 *	          └── no: the cache, with a line that says so
 *	then:   interval ── fetch ── good? ──► pool, cache
 *	          └── no: nothing changes; again after a minute, then two, ... up to the interval
 *
 * What is known of it lives in `online`, one per process: the last good text, from
 * which servers are made whenever a config needs them. A config's own servers are
 * never touched: those that came from here are marked.
 */
#include "client/online.h"

#include <errno.h>
#include <limits.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "base/log.h"
#include "client/fetch.h"
#include "client/online_cache.h"
#include "client/outbounds.h"
#include "conf/online.h"
#include "engine/status.h"
#include "loop/loop.h"
#include "resolve/resolve.h"

#define FETCH_MS 30000
#define FETCH_WITH_CACHE_MS 10000 /* at the start, when there is something to go on with */
#define RETRY_MS 60000
#define LEFT_OUT_SAID 10

static struct {
	const struct config *config; /* NULL: not begun */
	struct outbound *pool;
	char *url;		     /* whose answers these are */
	char *text;		     /* the last good one; or NULL */
	size_t len;
	struct online_document document;
	bool cached;		     /* it is the cache's */
	time_t fetched;		     /* 0: never by this process */
	uint64_t failures;
	unsigned failed_in_a_row;
	struct fetch *fetch;
	struct loop_timer timer;
} online;

/* ---- the text ---- */

static void wipe_free(char *text, size_t len)
{
	if (text)
		sodium_memzero(text, len);
	free(text);
}

static bool keep_text(const char *text, size_t len, const struct online_document *d)
{
	char *copy = malloc(len + 1);

	if (!copy)
		return false;
	memcpy(copy, text, len);
	wipe_free(online.text, online.len);
	online.text = copy;
	online.len = len;
	online.document = *d;
	return true;
}

static void on_left_out(void *owner, int entry, const char *tag, const char *why)
{
	struct log_site own = { 0 };
	int *said = owner;

	if (++*said <= LEFT_OUT_SAID)
		log_at(&own, LOG_LEVEL_WARN, "online config: server %d%s%s is left out: %s", entry, *tag ? " " : "", tag, why);
}

/* The text's servers into the config. False, logged: it is not sound. */
static bool read_text(struct config *c, const char *text, size_t len, struct online_document *d)
{
	int said = 0;
	struct online_reader reader = { on_left_out, &said };
	const char *why;

	if (online_read(c, text, len, &reader, d, &why) == 0)
		return true;
	log_warn("online config: what came is not used: %s", why);
	return false;
}

static void save(const struct config *c)
{
	char path[PATH_MAX];
	int err = online_cache_path(c, path, sizeof(path));

	if (!err)
		err = online_cache_write(path, online.text, online.len);
	if (err)
		log_warn("online config: cannot keep a copy for the next start (\"cache_file\" says where) err=%s", err_name(err));
}

/* From now on this URL's; nothing is known of another one. */
static bool take_url(const char *url)
{
	char *copy;

	if (online.url && strcmp(online.url, url) == 0)
		return true;
	copy = strdup(url);
	if (!copy)
		return false;
	if (online.url)
		wipe_free(online.url, strlen(online.url));
	wipe_free(online.text, online.len);
	online.url = copy;
	online.text = NULL;
	online.len = 0;
	online.document = (struct online_document){ .bytes_used = -1, .bytes_remaining = -1 };
	return true;
}

/* ---- the start ---- */

struct first {
	struct config *config;
	bool good;
};

static void on_first(void *owner, const struct fetch_result *r)
{
	struct first *f = owner;
	struct online_document d;

	online.fetch = NULL;
	loop_stop();
	if (!r->body) {
		log_warn("online config: cannot be fetched: %s", r->why);
		return;
	}
	f->good = read_text(f->config, r->body, r->len, &d) && keep_text(r->body, r->len, &d);
}

static struct fetch *start_fetch(const struct config *c, uint32_t limit_ms, fetch_done *done, void *owner)
{
	struct fetch_options o = {
		.url = c->online_url,
		.ca_file = c->online_ca_file,
		.rules = &c->outbound,
		.limit_ms = limit_ms,
		.max = ONLINE_BYTES_MAX,
	};

	return fetch_start(&o, done, owner);
}

/* In a loop of its own: there is no engine yet. */
static bool fetch_first(struct config *c, uint32_t limit_ms)
{
	struct resolve_options names = { .hosts_file = c->hosts_file, .servers = c->nameserver, .rules = &c->outbound };
	struct first f = { .config = c };
	char text[256] = "";

	if (loop_init() != 0)
		return false;
	if (resolve_init(&names, text, sizeof(text)) == 0) {
		online.fetch = start_fetch(c, limit_ms, on_first, &f);
		if (online.fetch)
			loop_run();
		resolve_free();
	} else {
		log_error("%s", text[0] ? text : "cannot start the resolver");
	}
	loop_turn(); /* what the transfer left to be freed */
	loop_free();
	return f.good;
}

static void format_age(long s, char *text, size_t size)
{
	if (s < 120)
		snprintf(text, size, "%ld s", s < 0 ? 0 : s);
	else if (s < 7200)
		snprintf(text, size, "%ld min", s / 60);
	else if (s < 172800)
		snprintf(text, size, "%ld h", s / 3600);
	else
		snprintf(text, size, "%ld days", s / 86400);
}

static bool use_cache(struct config *c, const char *cached, size_t len, long age_s)
{
	struct online_document d;
	char age[32];

	format_age(age_s, age, sizeof(age));
	if (!read_text(c, cached, len, &d) || !keep_text(cached, len, &d))
		return false;
	log_warn("online config: going on with the copy of %s ago", age);
	online.cached = true;
	return true;
}

int online_load(struct config *c)
{
	char path[PATH_MAX], *cached = NULL;
	long age_s = 0;
	ssize_t len;
	bool good;

	if (!c->online_url)
		return 0;
	if (!take_url(c->online_url))
		return -ENOMEM;
	len = online_cache_path(c, path, sizeof(path));
	if (!len)
		len = online_cache_read(path, &cached, &age_s);
	good = fetch_first(c, cached ? FETCH_WITH_CACHE_MS : FETCH_MS);
	if (good) {
		online.fetched = time(NULL);
		save(c);
		log_info("online config: %d servers", online.document.n_servers);
	} else {
		online.failures++;
		online.failed_in_a_row++;
		if (cached)
			good = use_cache(c, cached, (size_t)len, age_s);
		else if (len != -ENOENT)
			log_warn("online config: the copy of an earlier answer cannot be read err=%s", err_name((int)len));
	}
	if (cached)
		wipe_free(cached, (size_t)len);
	if (good || c->n_servers)
		return 0;
	log_error("online config: there is no server to use, neither from the network nor from an earlier answer");
	return -ENOENT;
}

void online_merge(struct config *c)
{
	struct online_document d;

	if (c->online_url && online.text && strcmp(online.url, c->online_url) == 0)
		read_text(c, online.text, online.len, &d);
}

/* ---- while the engine runs ---- */

static void on_time(struct loop_timer *t);

static void look_again(void)
{
	uint64_t ms = (uint64_t)online.config->online_interval * 1000, retry = RETRY_MS;

	for (unsigned i = 1; i < online.failed_in_a_row && retry < ms; i++)
		retry *= 2;
	loop_timer_start(&online.timer, online.failed_in_a_row && retry < ms ? retry : ms, on_time);
}

/* The config's own servers and those of the set, which are copied by the pool. */
static int update_with(const struct config *set)
{
	const struct config *c = online.config;
	struct config all = *c; /* borrows everything */
	int n = 0, err;

	all.servers = calloc((size_t)(c->n_servers + set->n_servers), sizeof(*all.servers));
	if (!all.servers)
		return -ENOMEM;
	for (int i = 0; i < c->n_servers; i++)
		if (!c->servers[i].online)
			all.servers[n++] = c->servers[i];
	for (int i = 0; i < set->n_servers; i++)
		all.servers[n++] = set->servers[i];
	all.n_servers = n;
	err = outbounds_set_servers(online.pool, &all);
	sodium_memzero(all.servers, sizeof(*all.servers) * (size_t)n);
	free(all.servers);
	return err;
}

/* The document's servers in place of those of the last one. */
static int update_pool(const char *text, size_t len, struct online_document *d)
{
	struct config set;
	int err = -EINVAL;

	config_init(&set);
	set.outbound = online.config->outbound;
	set.online_plugins = online.config->online_plugins;
	set.udp_over_tcp = online.config->udp_over_tcp;
	set.connect = online.config->connect;
	set.online_hops = online.config->online_hops;
	if (read_text(&set, text, len, d))
		err = update_with(&set);
	set.online_hops = NULL; /* borrowed, and not to be wiped */
	config_free(&set);
	return err;
}

static void take(const struct fetch_result *r)
{
	struct online_document d;
	bool same = r->len == online.len && online.text && memcmp(r->body, online.text, r->len) == 0;
	int err = 0;

	if (!same)
		err = update_pool(r->body, r->len, &d);
	if (!err && !same && !keep_text(r->body, r->len, &d))
		err = -ENOMEM;
	if (err) {
		online.failures++;
		online.failed_in_a_row++;
		return;
	}
	online.failed_in_a_row = 0;
	online.fetched = time(NULL);
	if (same && !online.cached)
		return;
	online.cached = false;
	save(online.config);
	if (!same)
		log_info("online config: changed, %d servers now", online.document.n_servers);
}

static void on_fetched(void *owner, const struct fetch_result *r)
{
	(void)owner;
	online.fetch = NULL;
	if (r->body) {
		take(r);
	} else {
		log_warn("online config: cannot be fetched: %s", r->why);
		online.failures++;
		online.failed_in_a_row++;
	}
	look_again();
}

static void on_time(struct loop_timer *t)
{
	(void)t;
	online.fetch = start_fetch(online.config, FETCH_MS, on_fetched, NULL);
	if (!online.fetch)
		look_again();
}

static void put_number(json_t *o, const char *name, int64_t n)
{
	if (n >= 0)
		json_object_set_new(o, name, json_integer(n));
}

static json_t *describe(void *owner)
{
	json_t *o = json_object();

	(void)owner;
	json_object_set_new(o, "cached", json_boolean(online.cached));
	put_number(o, "servers", online.document.n_servers);
	put_number(o, "left_out", online.document.n_left_out);
	put_number(o, "failures", (int64_t)online.failures);
	if (online.fetched)
		put_number(o, "age_s", (int64_t)(time(NULL) - online.fetched));
	if (online.text) {
		put_number(o, "bytes_used", online.document.bytes_used);
		put_number(o, "bytes_remaining", online.document.bytes_remaining);
	}
	return o;
}

void online_begin(const struct config *c, struct outbound *pool)
{
	bool first = !online.config;

	if (!c->online_url || !take_url(c->online_url)) {
		online_end();
		return;
	}
	if (online.fetch) /* with the options of the last config */
		fetch_cancel(online.fetch);
	online.fetch = NULL;
	online.config = c;
	online.pool = pool;
	if (first)
		engine_status_add("online", describe, &online);
	if (online.text)
		look_again();
	else
		loop_timer_start(&online.timer, 0, on_time);
}

void online_end(void)
{
	if (online.fetch)
		fetch_cancel(online.fetch);
	online.fetch = NULL;
	loop_timer_stop(&online.timer);
	engine_status_remove(&online);
	if (online.url)
		wipe_free(online.url, strlen(online.url));
	wipe_free(online.text, online.len);
	memset(&online, 0, sizeof(online));
}

/*
 * A fetch; see fetch.h.
 *
 *	begin ── name? ── resolve/ ──► transfer ──► done
 *	  ▲                               │
 *	  └────── redirect, three at most ┘
 *
 * libcurl never resolves: each host is given to it with its addresses (CURLOPT_RESOLVE),
 * which is why redirects are followed here, one transfer each. It tells which
 * descriptors and which time it waits for (on_socket, on_timeout); after every
 * word to it the transfer may have ended (look). The end is told from the
 * deferred pass, when nothing of libcurl's is on the stack.
 */
#include "client/fetch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/list.h"
#include "base/log.h"
#include "client/curl_calls.h"
#include "conf/online.h"
#include "loop/loop.h"
#include "resolve/resolve.h"

#define REDIRECTS_MAX 3
#define CONNECT_MS 10000
#define WHY_MAX 160

struct fetch {
	CURLM *multi;
	CURL *easy;
	struct curl_slist *addresses;
	struct fetch_options options;
	char *url; /* of this transfer */
	char host[256];
	char port[8];
	struct resolve_query *query;
	struct list sockets;
	struct loop_timer timer, limit; /* libcurl's, ours */
	struct loop_work work;
	char *body;
	size_t len;
	int redirects;
	bool too_large, failed;
	char why[WHY_MAX], curl_error[CURL_ERROR_SIZE];
	fetch_done *done;
	void *owner;
};

/* A descriptor of libcurl's that is watched. */
struct watched {
	struct list node;
	struct loop_watch watch;
	struct fetch *fetch;
	curl_socket_t fd;
};

static void begin(struct fetch *f);

/* ---- the end ---- */

static void wipe_free(char *text, size_t len)
{
	if (text)
		sodium_memzero(text, len);
	free(text);
}

static void drop_watched(struct watched *w)
{
	list_remove(&w->node);
	loop_watch_stop(&w->watch);
	free(w);
}

static void end_transfer(struct fetch *f)
{
	if (f->easy) {
		curl.multi_remove_handle(f->multi, f->easy);
		curl.easy_cleanup(f->easy);
	}
	if (f->multi)
		curl.multi_cleanup(f->multi);
	f->easy = NULL;
	f->multi = NULL;
	while (!list_empty(&f->sockets))
		drop_watched(container_of(f->sockets.next, struct watched, node));
	curl.slist_free_all(f->addresses);
	f->addresses = NULL;
	loop_timer_stop(&f->timer);
}

static void free_fetch(struct fetch *f)
{
	end_transfer(f);
	loop_timer_stop(&f->limit);
	loop_defer_cancel(&f->work);
	if (f->query)
		resolve_cancel(f->query);
	wipe_free(f->body, f->len);
	if (f->url)
		wipe_free(f->url, strlen(f->url));
	free((char *)(uintptr_t)f->options.ca_file);
	free(f);
}

static void tell(struct loop_work *w)
{
	struct fetch *f = container_of(w, struct fetch, work);
	struct fetch_result r = { .why = f->why };

	end_transfer(f);
	if (!f->failed) {
		r.body = f->body ? f->body : "";
		r.len = f->len;
	}
	f->done(f->owner, &r);
	free_fetch(f);
}

static void fail(struct fetch *f, const char *why)
{
	log_escape(why, strlen(why), f->why, sizeof(f->why));
	f->failed = true;
	loop_defer(&f->work, tell);
}

/* ---- a transfer's end ---- */

static void redirect(struct loop_work *w)
{
	struct fetch *f = container_of(w, struct fetch, work);

	end_transfer(f);
	begin(f);
}

static void follow(struct fetch *f)
{
	char *to = NULL;

	curl.easy_getinfo(f->easy, CURLINFO_REDIRECT_URL, &to);
	if (!to || ++f->redirects > REDIRECTS_MAX) {
		fail(f, to ? "it redirects without end" : "it redirects to nowhere");
		return;
	}
	wipe_free(f->url, strlen(f->url));
	f->url = strdup(to);
	wipe_free(f->body, f->len);
	f->body = NULL;
	f->len = 0;
	loop_defer(&f->work, redirect);
}

static void on_transferred(struct fetch *f, CURLcode code)
{
	char why[WHY_MAX];
	long status = 0;

	curl.easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
	if (f->too_large) {
		fail(f, "what comes is larger than it may be");
	} else if (code != CURLE_OK) {
		fail(f, f->curl_error[0] ? f->curl_error : curl.easy_strerror(code));
	} else if (status >= 300 && status < 400) {
		follow(f);
	} else if (status != 200) {
		snprintf(why, sizeof(why), "it answers with status %ld", status);
		fail(f, why);
	} else {
		loop_defer(&f->work, tell);
	}
}

static void look(struct fetch *f)
{
	CURLMsg *m;
	int more;

	while ((m = curl.multi_info_read(f->multi, &more)))
		if (m->msg == CURLMSG_DONE) {
			on_transferred(f, m->data.result);
			return;
		}
}

/* ---- libcurl in our loop ---- */

static void act(struct fetch *f, curl_socket_t fd, int events)
{
	int running;

	curl.multi_socket_action(f->multi, fd, events, &running);
	look(f);
}

static void on_timer(struct loop_timer *t)
{
	act(container_of(t, struct fetch, timer), CURL_SOCKET_TIMEOUT, 0);
}

/* libcurl may drop what is watched while it acts. */
static void on_ready(struct loop_watch *w, unsigned events)
{
	struct watched *s = container_of(w, struct watched, watch);

	act(s->fetch, s->fd, (events & LOOP_READ ? CURL_CSELECT_IN : 0) | (events & LOOP_WRITE ? CURL_CSELECT_OUT : 0));
}

static int on_timeout(CURLM *multi, long ms, void *owner)
{
	struct fetch *f = owner;

	(void)multi;
	if (ms < 0)
		loop_timer_stop(&f->timer);
	else
		loop_timer_start(&f->timer, (uint64_t)ms, on_timer);
	return 0;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *owner, void *ours)
{
	struct fetch *f = owner;
	struct watched *w = ours;
	unsigned events = (what & CURL_POLL_IN ? LOOP_READ : 0u) | (what & CURL_POLL_OUT ? LOOP_WRITE : 0u);

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (w)
			drop_watched(w);
		return 0;
	}
	if (!w) {
		w = calloc(1, sizeof(*w));
		if (!w)
			return -1;
		w->fetch = f;
		w->fd = fd;
		list_init(&w->node);
		list_append(&f->sockets, &w->node);
		curl.multi_assign(f->multi, fd, w);
	}
	loop_watch_stop(&w->watch);
	return loop_watch_start(&w->watch, fd, events, on_ready) ? -1 : 0;
}

static curl_socket_t open_socket(void *owner, curlsocktype purpose, struct curl_sockaddr *a)
{
	const struct fetch *f = owner;
	int fd = socket_rules_open(a->family, a->socktype, f->options.rules);

	(void)purpose;
	if (fd < 0)
		return CURL_SOCKET_BAD;
	if (socket_rules_bind(fd, a->family, f->options.rules) != 0) {
		close(fd);
		return CURL_SOCKET_BAD;
	}
	return fd;
}

/* Bytes that are not taken end the transfer. */
static size_t on_body(char *bytes, size_t size, size_t n, void *owner)
{
	struct fetch *f = owner;
	char *body;

	n *= size;
	if (n > f->options.max - f->len) {
		f->too_large = true;
		return 0;
	}
	body = malloc(f->len + n + 1); /* not realloc: what it leaves behind is not wiped */
	if (!body)
		return 0;
	if (f->len)
		memcpy(body, f->body, f->len);
	memcpy(body + f->len, bytes, n);
	wipe_free(f->body, f->len);
	f->body = body;
	f->len += n;
	return n;
}

/* ---- the beginning ---- */

static bool set_options(struct fetch *f)
{
	CURL *e = f->easy;
	/* Each of them matters: one that cannot be set is a failure. */
	CURLcode failed = CURLE_OK;
#define SET(option, value) failed = failed ? failed : curl.easy_setopt(e, option, value)
	SET(CURLOPT_URL, f->url);
	SET(CURLOPT_PROTOCOLS_STR, "https,http"); /* http is for loopback: online_url_is_safe() */
	SET(CURLOPT_PROXY, "");
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
	SET(CURLOPT_TIMEOUT_MS, (long)f->options.limit_ms);
	SET(CURLOPT_ACCEPT_ENCODING, "");
	SET(CURLOPT_USERAGENT, "gatun/" GATUN_VERSION);
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
	SET(CURLOPT_OPENSOCKETDATA, f);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, f);
	SET(CURLOPT_ERRORBUFFER, f->curl_error);
	if (f->options.ca_file)
		SET(CURLOPT_CAINFO, f->options.ca_file);
	if (f->addresses)
		SET(CURLOPT_RESOLVE, f->addresses);
#undef SET
	return failed == CURLE_OK;
}

static void transfer(struct fetch *f)
{
	f->multi = curl.multi_init();
	f->easy = curl.easy_init();
	if (!f->multi || !f->easy || !set_options(f) || curl.multi_setopt(f->multi, CURLMOPT_SOCKETFUNCTION, on_socket) ||
	    curl.multi_setopt(f->multi, CURLMOPT_SOCKETDATA, f) || curl.multi_setopt(f->multi, CURLMOPT_TIMERFUNCTION, on_timeout) ||
	    curl.multi_setopt(f->multi, CURLMOPT_TIMERDATA, f) || curl.multi_add_handle(f->multi, f->easy))
		fail(f, "libcurl cannot do it");
}

/* "host:port:address,address" */
static bool give_addresses(struct fetch *f, const struct resolved *found)
{
	char line[256 + 16 + RESOLVE_MAX * INET6_ADDRSTRLEN];
	int at = snprintf(line, sizeof(line), "%s:%s:", f->host, f->port);

	for (int i = 0; i < found->n; i++) {
		line[at] = ',';
		at += i > 0;
		inet_ntop(found->addrs[i].family, &found->addrs[i].ip, line + at, INET6_ADDRSTRLEN);
		at += (int)strlen(line + at);
	}
	f->addresses = curl.slist_append(NULL, line);
	return f->addresses != NULL;
}

static void on_addresses(struct fetch *f, const struct resolved *found)
{
	if (!found->n)
		fail(f, "its name does not resolve");
	else if (!give_addresses(f, found))
		fail(f, "out of memory");
	else
		transfer(f);
}

static void on_resolved(void *owner, const struct resolved *found)
{
	struct fetch *f = owner;

	f->query = NULL;
	on_addresses(f, found);
}

/* Into f->host, without brackets, and f->port. */
static bool split_url(struct fetch *f)
{
	CURLU *u = curl.url();
	char *host = NULL, *port = NULL;
	bool ok = u && curl.url_set(u, CURLUPART_URL, f->url, 0) == CURLUE_OK && curl.url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
		  curl.url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK;
	size_t len = ok ? strlen(host) : 0;
	bool bracket = ok && host[0] == '[';

	if (ok && len < sizeof(f->host) && strlen(port) < sizeof(f->port)) {
		snprintf(f->host, sizeof(f->host), "%.*s", (int)(bracket ? len - 2 : len), host + bracket);
		snprintf(f->port, sizeof(f->port), "%s", port);
	} else {
		ok = false;
	}
	curl.free(host);
	curl.free(port);
	curl.url_cleanup(u);
	return ok;
}

static void begin(struct fetch *f)
{
	struct resolved found;
	struct addr literal;

	if (!f->url || !split_url(f)) {
		fail(f, "its URL is none");
	} else if (f->redirects ? strncasecmp(f->url, "https://", 8) != 0 : !online_url_is_safe(f->url)) {
		fail(f, "it leads away from https://, where anybody could change the answer");
	} else if (addr_parse_ip(f->host, 0, &literal) == 0) {
		transfer(f);
	} else if (resolve_cached(f->host, strlen(f->host), &found)) {
		on_addresses(f, &found);
	} else {
		f->query = resolve_start(f->host, strlen(f->host), on_resolved, f);
		if (!f->query)
			fail(f, "out of memory");
	}
}

static void on_limit(struct loop_timer *t)
{
	struct fetch *f = container_of(t, struct fetch, limit);

	if (f->query)
		resolve_cancel(f->query);
	f->query = NULL;
	end_transfer(f);
	fail(f, "it does not answer in time");
}

struct fetch *fetch_start(const struct fetch_options *o, fetch_done *done, void *owner)
{
	struct fetch *f = calloc(1, sizeof(*f));

	if (!f || !curl_calls_need()) {
		free(f);
		return NULL;
	}
	list_init(&f->sockets);
	f->options = *o;
	f->options.ca_file = o->ca_file ? strdup(o->ca_file) : NULL;
	f->url = strdup(o->url);
	f->done = done;
	f->owner = owner;
	if (!f->url || (o->ca_file && !f->options.ca_file)) {
		free_fetch(f);
		return NULL;
	}
	loop_timer_start(&f->limit, o->limit_ms, on_limit);
	begin(f);
	return f;
}

void fetch_cancel(struct fetch *f)
{
	free_fetch(f);
}

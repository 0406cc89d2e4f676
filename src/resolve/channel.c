/*
 * See channel.h. One c-ares channel is current; a change of resolv.conf makes
 * it retire: it answers what it was asked and is destroyed after that, from
 * deferred work, because c-ares must not be destroyed inside its callback.
 *
 * c-ares owns its sockets and says which of them to watch; a watch record is
 * kept per socket. Its clock is one timer, re-armed after everything that can
 * move its deadlines.
 *
 * One that nobody asked anything for IDLE_MS is freed (it holds some 80 kB),
 * and made anew by the next question.
 *
 * Times: 1.5 s for the first try, doubled each time, three tries: a question
 * that nobody answers fails after 10.5 s, about when a dial would.
 */
#include "resolve/channel.h"

#include <ares.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/addr.h"
#include "base/log.h"
#include "loop/loop.h"
#include "proto/dns_message.h"
#include "resolve/system.h"

#define CHECK_EVERY_MS 1000
#define FIRST_TRY_MS 1500
#define TRIES 3
#define IDLE_MS 30000
#define SERVERS_MAX 8
#define RESOLV_CONF "/etc/resolv.conf"

struct channel {
	ares_channel ares;
	struct loop_timer timer;
	struct list watches;
	unsigned pending;
	int ndots; /* names with as many dots are absolute */
	bool retired;
	struct list node;
	struct loop_work sweep;
};

struct watch {
	struct loop_watch io;
	struct channel *channel;
	int fd;
	struct list node;
};

struct question {
	struct channel *channel;
	resolve_channel_done *done;
	void *owner;
};

static struct channel *current;
static struct list channels;
static struct ares_addr_port_node servers[SERVERS_MAX];
static int n_servers;
static struct asked {
	struct addr servers[SERVERS_MAX]; /* the config's, if it names any */
	int n_servers;
	bool past_stub; /* name servers on loopback are not asked */
	struct socket_rules rules;
} asked, wanted; /* wanted: of a change that is prepared */
static uint64_t checked_ms;
static uint64_t system_seen;
static struct stat seen;
static bool freeing;

/* ---- sockets and time ---- */

static void arm(struct channel *c);
static void on_idle(struct loop_timer *t);

static void on_timer(struct loop_timer *t)
{
	struct channel *c = container_of(t, struct channel, timer);

	ares_process_fd(c->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	arm(c);
}

static void arm(struct channel *c)
{
	struct timeval tv, *next = ares_timeout(c->ares, NULL, &tv);

	if (next)
		loop_timer_start(&c->timer, (uint64_t)next->tv_sec * 1000 + (uint64_t)next->tv_usec / 1000 + 1, on_timer);
	else
		loop_timer_start(&c->timer, IDLE_MS, on_idle);
}

static void on_socket(struct loop_watch *io, unsigned events)
{
	struct watch *w = container_of(io, struct watch, io);
	struct channel *c = w->channel;
	int fd = w->fd;

	/* The call below may end this very watch: w is not touched after it. */
	ares_process_fd(c->ares, events & LOOP_READ ? fd : ARES_SOCKET_BAD, events & LOOP_WRITE ? fd : ARES_SOCKET_BAD);
	arm(c);
}

static struct watch *find_watch(struct channel *c, int fd)
{
	list_for_each(it, &c->watches) {
		struct watch *w = container_of(it, struct watch, node);

		if (w->fd == fd)
			return w;
	}
	return NULL;
}

static void watch_free(struct watch *w)
{
	loop_watch_stop(&w->io);
	list_remove(&w->node);
	free(w);
}

/* c-ares: watch this socket for that, from now on. */
static void on_socket_state(void *data, ares_socket_t fd, int readable, int writable)
{
	struct channel *c = data;
	struct watch *w = find_watch(c, fd);
	unsigned events = (readable ? LOOP_READ : 0u) | (writable ? LOOP_WRITE : 0u);

	if (!events) {
		if (w)
			watch_free(w);
		return;
	}
	if (!w) {
		w = calloc(1, sizeof(*w));
		if (!w)
			return; /* the question then fails by its timeout */
		w->channel = c;
		w->fd = fd;
		list_append(&c->watches, &w->node);
	}
	loop_watch_stop(&w->io);
	if (loop_watch_start(&w->io, fd, events, on_socket) < 0)
		watch_free(w);
}

/* c-ares: a new socket, not yet connected. A socket without our mark could be
 * routed into our own tunnel, so that failing to set it fails the question. */
static int on_new_socket(ares_socket_t fd, int type, void *data)
{
	(void)type, (void)data;
	return socket_rules_apply(fd, &asked.rules) < 0 ? -1 : 0;
}

/* ---- channels ---- */

static int read_ndots(ares_channel ares)
{
	struct ares_options o = { .ndots = 1 };
	int mask, ndots = 1;

	if (ares_save_options(ares, &o, &mask) == ARES_SUCCESS) {
		ndots = o.ndots;
		ares_destroy_options(&o);
	}
	return ndots;
}

static void take_servers(const struct addr *addrs, int n)
{
	n_servers = 0;
	for (; n_servers < n && n_servers < SERVERS_MAX; n_servers++) {
		const struct addr *a = &addrs[n_servers];
		struct ares_addr_port_node *s = &servers[n_servers];

		*s = (struct ares_addr_port_node){ .family = a->family, .udp_port = a->port, .tcp_port = a->port };
		memcpy(&s->addr, a->ip.bytes, addr_ip_len(a));
		if (n_servers)
			s[-1].next = s;
	}
}

/* Where they cannot be told, those of before. */
static void take_system_servers(void)
{
	struct addr found[RESOLVE_SYSTEM_MAX];
	int n = resolve_system_servers(found);

	if (n)
		take_servers(found, n);
}

static struct channel *channel_new(void)
{
	struct channel *c = calloc(1, sizeof(*c));
	struct ares_options o = {
		.timeout = FIRST_TRY_MS,
		.tries = TRIES,
		.sock_state_cb = on_socket_state,
		.sock_state_cb_data = c,
	};
	int ret;

	if (!c)
		return NULL;
	list_init(&c->watches);
	list_init(&c->node);
	ret = ares_init_options(&c->ares, &o, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
	if (asked.past_stub)
		take_system_servers();
	if (ret == ARES_SUCCESS && n_servers)
		ret = ares_set_servers_ports(c->ares, servers);
	if (ret != ARES_SUCCESS) {
		log_error("the resolver cannot start: %s", ares_strerror(ret));
		if (c->ares)
			ares_destroy(c->ares);
		free(c);
		return NULL;
	}
	c->ndots = read_ndots(c->ares);
	ares_set_socket_configure_callback(c->ares, on_new_socket, NULL);
	list_append(&channels, &c->node);
	return c;
}

static void channel_free(struct channel *c)
{
	loop_timer_stop(&c->timer);
	loop_defer_cancel(&c->sweep);
	ares_destroy(c->ares);
	list_for_each_safe(it, &c->watches)
		watch_free(container_of(it, struct watch, node));
	list_remove(&c->node);
	free(c);
}

static void on_idle(struct loop_timer *t)
{
	struct channel *c = container_of(t, struct channel, timer);

	if (c->pending)
		return;
	if (c == current)
		current = NULL;
	channel_free(c);
}

static void on_sweep(struct loop_work *work) { channel_free(container_of(work, struct channel, sweep)); }

static void sweep_if_done(struct channel *c)
{
	if (c->retired && !c->pending)
		loop_defer(&c->sweep, on_sweep);
}

static bool resolv_conf_changed(void)
{
	struct stat st;

	if (checked_ms && loop_now() - checked_ms < CHECK_EVERY_MS)
		return false;
	checked_ms = loop_now();
	if (asked.past_stub)
		return resolve_system_changed(&system_seen);
	if (stat(RESOLV_CONF, &st) < 0)
		return false; /* being replaced: what it said stays in force */
	if (st.st_ino == seen.st_ino && st.st_dev == seen.st_dev && st.st_size == seen.st_size &&
	    st.st_mtim.tv_sec == seen.st_mtim.tv_sec && st.st_mtim.tv_nsec == seen.st_mtim.tv_nsec)
		return false;
	seen = st;
	return true;
}

static void retire_current(void)
{
	current->retired = true;
	sweep_if_done(current);
	current = NULL;
}

static struct channel *get_channel(void)
{
	bool changed = resolv_conf_changed();
	struct channel *fresh;

	if (current && !changed)
		return current;
	fresh = channel_new();
	if (!fresh)
		return current;
	if (current) {
		log_info(RESOLV_CONF " changed, the resolver follows");
		retire_current();
	}
	return current = fresh;
}

void resolve_channel_renew(void)
{
	checked_ms = 0;
	if (current)
		retire_current();
}

/* ---- questions ---- */

static void on_answer(void *arg, int status, int timeouts, unsigned char *reply, int len)
{
	struct question *q = arg;
	struct question copy = *q;
	bool answered = status == ARES_SUCCESS || status == ARES_ENODATA || status == ARES_ENOTFOUND;

	(void)timeouts;
	free(q);
	if (freeing)
		return;
	copy.channel->pending--;
	sweep_if_done(copy.channel);
	copy.done(copy.owner, answered, reply, reply && len > 0 ? (size_t)len : 0);
}

static int count_dots(const char *name)
{
	int n = 0;

	for (; *name; name++)
		n += *name == '.';
	return n;
}

void resolve_channel_ask(const char *name, uint16_t type, resolve_channel_done *done, void *owner)
{
	struct channel *c = get_channel();
	struct question *q = c ? malloc(sizeof(*q)) : NULL;

	if (!q) {
		done(owner, false, NULL, 0);
		return;
	}
	*q = (struct question){ c, done, owner };
	c->pending++;
	/* ares_search() hides the negative answer and the TTL in it, so it is
	 * kept for the names that need the search list. */
	if (count_dots(name) >= c->ndots)
		ares_query(c->ares, name, DNS_CLASS_IN, type, on_answer, q);
	else
		ares_search(c->ares, name, DNS_CLASS_IN, type, on_answer, q);
	arm(c);
}

/* ---- life ---- */

static int parse_server(const char *text, struct addr *out)
{
	struct target t;

	if (addr_parse_ip(text, 53, out) == 0)
		return 0;
	if (target_parse(text, &t) < 0 || target_is_name(&t))
		return -EINVAL;
	*out = t.ip;
	return 0;
}

static int parse_servers(const char *text, struct asked *out)
{
	char copy[512], *save = NULL;

	if (strlen(text) >= sizeof(copy))
		return -EINVAL;
	strcpy(copy, text);
	for (char *word = strtok_r(copy, ", ", &save); word; word = strtok_r(NULL, ", ", &save))
		if (out->n_servers == SERVERS_MAX || parse_server(word, &out->servers[out->n_servers++]) < 0)
			return -EINVAL;
	return out->n_servers ? 0 : -EINVAL;
}

int resolve_channel_prepare(const char *text, bool captured, const struct socket_rules *rules)
{
	memset(&wanted, 0, sizeof(wanted));
	wanted.past_stub = captured && !text;
	if (rules)
		wanted.rules = *rules;
	return text ? parse_servers(text, &wanted) : 0;
}

static bool same_servers(const struct asked *a, const struct asked *b)
{
	for (int i = 0; i < a->n_servers && i < b->n_servers; i++)
		if (!addr_equal(&a->servers[i], &b->servers[i]))
			return false;
	return a->n_servers == b->n_servers && a->past_stub == b->past_stub;
}

bool resolve_channel_apply(void)
{
	bool same = same_servers(&asked, &wanted) && socket_rules_same_way(&asked.rules, &wanted.rules);

	asked = wanted;
	if (same)
		return false;
	take_servers(asked.servers, asked.n_servers);
	system_seen = 0;
	resolve_channel_renew();
	return true;
}

int resolve_channel_init(const char *text, bool captured, const struct socket_rules *rules)
{
	int err = resolve_channel_prepare(text, captured, rules);

	list_init(&channels);
	current = NULL;
	freeing = false;
	checked_ms = 0;
	system_seen = 0;
	memset(&seen, 0, sizeof(seen));
	asked = wanted;
	take_servers(asked.servers, err ? 0 : asked.n_servers);
	return err;
}

void resolve_channel_free(void)
{
	freeing = true;
	list_for_each_safe(it, &channels)
		channel_free(container_of(it, struct channel, node));
	current = NULL;
}

/* Set-up and tear-down that server and client share. */
#include "engine/common.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "crypto/aead.h"
#include "flow/counters.h"
#include "flow/relay.h"
#include "io/slice.h"
#include "io/tcp_socket.h"
#include "loop/loop.h"
#include "outbound/shadowsocks.h"
#include "resolve/resolve.h"
#include "sys/caps.h"
#include "sys/nofile.h"

#define TRIM_MS 10000
#define SIP022_SESSION_MIN_S 60 /* wire-formats.md section 13 (a) */

static struct loop_timer trim_timer;
static void (*upkeep)(void *owner);
static void *upkeep_owner;
static struct loop_signal sigint, sigterm;

static void on_trim(struct loop_timer *t)
{
	tcp_socket_trim();
	aead_cache_trim();
	buf_pool_trim();
	if (upkeep)
		upkeep(upkeep_owner);
	malloc_trim(0);
	loop_timer_start(t, TRIM_MS, on_trim);
}

int engine_start(const struct config *c)
{
	struct resolve_options names = { .hosts_file = c->hosts_file, .servers = c->nameserver, .fwmark = c->outbound_fwmark };
	struct relay_limits relay = { .idle_s = c->tcp_idle, .half_close_idle_s = c->half_close_idle };
	char text[256] = "";
	int err = loop_init();

	if (err) {
		log_error("cannot make an event loop err=%s", err_name(err));
		return err;
	}
	/* A fixed threshold (glibc's own grows): what is large is mapped by itself
	 * and goes back to the system when it is freed. */
	mallopt(M_MMAP_THRESHOLD, 64 * 1024);
	sys_nofile_raise(c->nofile);
	signal(SIGPIPE, SIG_IGN);
	err = resolve_init(&names, text, sizeof(text));
	if (err) {
		log_error("%s", text[0] ? text : "cannot start the resolver");
		loop_free();
		return err;
	}
	relay_init(&relay);
	loop_timer_start(&trim_timer, TRIM_MS, on_trim);
	return 0;
}

void engine_set_upkeep(void (*run)(void *owner), void *owner)
{
	upkeep = run;
	upkeep_owner = owner;
}

void engine_drain(void)
{
	/* One turn: nothing is awaited, deferred work runs first and last. */
	loop_turn();
}

void engine_end(void)
{
	engine_set_upkeep(NULL, NULL);
	loop_timer_stop(&trim_timer);
	loop_signal_stop(&sigint);
	loop_signal_stop(&sigterm);
	resolve_free();
	loop_free();
}

static int try_mark(uint32_t mark)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) < 0)
		err = -errno;
	if (fd >= 0)
		close(fd);
	return err;
}

int engine_drop_privileges(const struct config *c)
{
	int err;

	if (!c->outbound_fwmark) {
		sys_caps_drop_all();
		return 0;
	}
	sys_caps_drop_but_marks();
	err = try_mark(c->outbound_fwmark);
	if (err)
		log_error("cannot set outbound_fwmark %u on sockets: it needs CAP_NET_RAW (run as root) err=%s",
			  c->outbound_fwmark, err_name(err));
	return err;
}

static void on_stop(struct loop_signal *s)
{
	(void)s;
	loop_stop();
}

void engine_stop_on_signals(void)
{
	loop_signal_start(&sigint, SIGINT, on_stop);
	loop_signal_start(&sigterm, SIGTERM, on_stop);
}

struct outbound *engine_outbound_new(const struct config *c)
{
	const struct config_server *s = &c->servers[0];
	struct shadowsocks_options options = {
		.server = s->address,
		.method = s->method,
		.key = s->key,
		.identity_keys = (const uint8_t (*)[SS_KEY_MAX])s->identity_keys,
		.n_identities = s->n_identities,
		.tag = s->tag,
		.tcp = s->mode & MODE_TCP_ONLY,
		.udp = s->mode & MODE_UDP_ONLY,
		.fwmark = c->outbound_fwmark,
		.timeout_s = c->timeout,
	};

	return shadowsocks_new(&options);
}

struct assoc_limits engine_assoc_limits(const struct config *c, const struct ss_method *method)
{
	struct assoc_limits l = {
		.max = c->udp_max_associations,
		.idle_s = c->udp_timeout,
		.unreplied_s = 30,
		.dns_s = 10,
	};

	if (method->sip022 && l.idle_s < SIP022_SESSION_MIN_S)
		l.idle_s = SIP022_SESSION_MIN_S;
	if (l.unreplied_s > l.idle_s)
		l.unreplied_s = l.idle_s;
	return l;
}

/* What did not go its way, and only that: " closed_port=2 too_big=1". */
static const char *format_trouble(char *buf, size_t size)
{
	const struct { const char *name; uint64_t count; } troubles[] = {
		{ "malformed", flow_counters.udp.malformed },
		{ "replayed", flow_counters.udp.replayed },
		{ "forged", flow_counters.udp.forged },
		{ "fragment_timeouts", flow_counters.udp.fragment_timeouts },
		{ "evicted", flow_counters.udp.evicted },
		{ "dropped_queue", flow_counters.udp.dropped_queue },
		{ "dropped_limit", flow_counters.udp.dropped_limit },
		{ "dropped_denied", flow_counters.udp.dropped_denied },
		{ "closed_port", flow_counters.udp.closed_port },
		{ "too_big", flow_counters.udp.too_big },
	};
	size_t at = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < sizeof(troubles) / sizeof(troubles[0]) && at + 48 < size; i++)
		if (troubles[i].count)
			at += (size_t)snprintf(buf + at, size - at, " %s=%llu", troubles[i].name,
					       (unsigned long long)troubles[i].count);
	return buf;
}

void engine_log_summary(void)
{
	const struct flow_counters *f = &flow_counters;
	char ends[256] = "", trouble[512];
	size_t at = 0;

	for (int i = 0; i < END_COUNT && at + 40 < sizeof(ends); i++)
		if (f->tcp.ended[i])
			at += (size_t)snprintf(ends + at, sizeof(ends) - at, " %s=%llu", flow_end_name((enum flow_end)i),
					       (unsigned long long)f->tcp.ended[i]);
	log_info("flows tcp=%llu up=%llu down=%llu ended:%s udp=%llu up=%llu down=%llu packets_up=%llu packets_down=%llu%s",
		 (unsigned long long)f->tcp.opened, (unsigned long long)f->tcp.bytes_up,
		 (unsigned long long)f->tcp.bytes_down, at ? ends : " none", (unsigned long long)f->udp.opened,
		 (unsigned long long)f->udp.bytes_up, (unsigned long long)f->udp.bytes_down,
		 (unsigned long long)f->udp.packets_up, (unsigned long long)f->udp.packets_down,
		 format_trouble(trouble, sizeof(trouble)));
}

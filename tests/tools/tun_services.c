/*
 * Services on struct stream behind a TUN: the stack (inbound/tun, stack) alone,
 * without relay, Shadowsocks or server, for tests/netns/stack_tcp.sh and for
 * measuring. Every address is served; the port chooses:
 *
 *	7     echo, half-close included       9     discard; at FIN answers the count, then FIN
 *	19    source: sends until reset       20    source of 64 MB, then FIN
 *	11    refused                         12    unreachable
 *	13    denied                          14    not answered, refused after 1 s
 *	15    reset at the first byte         16    accepted 100 ms later, then echo
 *	17    takes 1 byte every 10 ms        18    answers "hello", then FIN at once
 *	21    reset when 64 KiB are queued    22    FIN at once, then discards, "count" unsaid
 *
 * Usage: tun_services NAME MTU READY_FILE; ends at SIGTERM with its CPU time
 * and counters on stdout.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "inbound/icmp.h"
#include "inbound/packet.h"
#include "inbound/stack.h"
#include "inbound/tun.h"
#include "loop/loop.h"
#include "sys/tundev.h"

#define SOURCE_BYTES (64u << 20)

struct session {
	struct stream *s;
	struct loop_timer timer;
	struct loop_work free_work;
	uint16_t port;
	uint64_t received, sent, limit;
	struct slice_queue held; /* echo: received, not yet accepted back */
	bool fin, source;
};

static struct tun *tun;
static struct buf *pattern;
static uint64_t sessions, finished;

static void free_session(struct loop_work *w)
{
	free(container_of(w, struct session, free_work));
}

static void finish(struct session *x, enum flow_end why)
{
	stream_end(x->s, why);
	slice_queue_clear(&x->held);
	loop_timer_stop(&x->timer);
	finished++;
	loop_defer(&x->free_work, free_session);
}

/* ---- echo: what cannot be written back is not taken ---- */

static size_t on_data(void *owner, const struct slice *v, int n)
{
	struct session *x = owner;
	size_t len = slices_len(v, n);
	ssize_t taken;

	if (x->port == 15) {
		finish(x, END_REMOTE_RESET);
		return len;
	}
	if (x->port == 17) {
		x->received++;
		return 1;
	}
	if (x->port != 7 && x->port != 16) {
		x->received += len;
		return len;
	}
	taken = stream_write(x->s, v, n);
	if (taken < 0)
		taken = 0;
	x->received += (size_t)taken;
	if ((size_t)taken < len)
		stream_want(x->s, false, true);
	return (size_t)taken;
}

static void pump(struct session *x)
{
	uint32_t phase;

	while (x->sent < x->limit) {
		struct slice s = { .buf = pattern };
		ssize_t n;

		phase = (uint32_t)(x->sent % 65521);
		s.off = phase;
		s.len = BUF_LARGE - phase > 65536 ? 65536 : BUF_LARGE - phase;
		if (s.len > x->limit - x->sent)
			s.len = (uint32_t)(x->limit - x->sent);
		n = stream_write(x->s, &s, 1);
		if (n <= 0)
			break;
		x->sent += (size_t)n;
	}
	if (x->sent < x->limit) {
		stream_want(x->s, true, true);
		if (x->port == 21 && x->sent >= 65536)
			finish(x, END_TRUNCATED);
		return;
	}
	stream_shut(x->s);
}

static void on_room(void *owner)
{
	struct session *x = owner;

	if (x->source)
		pump(x);
	else
		stream_want(x->s, true, false);
}

static void say(struct session *x, const char *text)
{
	struct buf *b = buf_get(BUF_SMALL);
	struct slice s = { .buf = b, .len = (uint32_t)strlen(text) };

	memcpy(b->data, text, s.len);
	if (stream_write(x->s, &s, 1) != (ssize_t)s.len)
		fprintf(stderr, "cannot answer\n");
	buf_unref(b);
}

static void on_fin(void *owner)
{
	struct session *x = owner;
	char text[32];

	x->fin = true;
	if (x->port == 9) {
		snprintf(text, sizeof(text), "%llu\n", (unsigned long long)x->received);
		say(x, text);
	}
	finish(x, END_DONE);
}

static void on_ended(void *owner, enum flow_end why)
{
	finish(owner, why);
}

static const struct stream_events events = { on_data, on_room, on_fin, on_ended };

static void on_slow(struct loop_timer *t)
{
	struct session *x = container_of(t, struct session, timer);

	if (x->port == 14) {
		finish(x, END_REFUSED);
		return;
	}
	if (x->port == 16)
		stream_accept(x->s);
	stream_want(x->s, true, false);
	if (x->port == 17)
		loop_timer_start(t, 10, on_slow);
}

static void start(struct session *x)
{
	switch (x->port) {
	case 11: finish(x, END_REFUSED); return;
	case 12: finish(x, END_UNREACHABLE); return;
	case 13: finish(x, END_DENIED); return;
	case 14: loop_timer_start(&x->timer, 1000, on_slow); return;
	case 16: loop_timer_start(&x->timer, 100, on_slow); return;
	}
	stream_accept(x->s);
	switch (x->port) {
	case 17: loop_timer_start(&x->timer, 10, on_slow); return;
	case 18: x->limit = 5; break;
	case 19: x->limit = UINT64_MAX; break;
	case 20: x->limit = SOURCE_BYTES; break;
	case 21: x->limit = UINT64_MAX; break;
	case 22: stream_shut(x->s); break;
	}
	x->source = x->limit;
	stream_want(x->s, true, x->source);
}

static void on_stream(void *owner, struct stream *s, const struct addr *client, const struct target *target)
{
	struct session *x = calloc(1, sizeof(*x));

	(void)owner, (void)client;
	sessions++;
	x->s = s;
	x->port = target_port(target);
	stream_bind(s, &events, x);
	start(x);
}

static const struct inbound_events inbound = { .stream = on_stream };

static void in_tcp(void *owner, const struct packet *p) { (void)owner, stack_input(p); }
static void in_icmp(void *owner, const struct packet *p) { (void)owner, icmp_input(tun, p, ICMP_OTHERS_REPLY); }
static void in_end(void *owner) { (void)owner, stack_batch_end(); }
static void on_term(struct loop_signal *s) { (void)s, loop_stop(); }

static void report(void)
{
	const struct tun_counters *c = tun_counters(tun);
	const struct stack_counters *k = stack_counters();
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	printf("cpu=%.3f user=%.3f rss_kb=%ld sessions=%llu finished=%llu active=%u held=%u rx=%llu/%llu tx=%llu/%llu "
	       "malformed=%llu bad_checksum=%llu tx_dropped=%llu buffers=%zu\n",
	       (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6,
	       (double)u.ru_utime.tv_sec + (double)u.ru_utime.tv_usec / 1e6, u.ru_maxrss, (unsigned long long)sessions,
	       (unsigned long long)finished, k->active, k->held_syn, (unsigned long long)c->rx_packets,
	       (unsigned long long)c->rx_bytes, (unsigned long long)c->tx_packets, (unsigned long long)c->tx_bytes,
	       (unsigned long long)c->rx_malformed, (unsigned long long)c->rx_bad_checksum, (unsigned long long)c->tx_dropped,
	       buf_pool_used());
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct tun_handlers handlers = { .tcp = in_tcp, .icmp = in_icmp, .batch_end = in_end };
	struct tun_features features;
	struct loop_signal term = { 0 };
	char text[256];
	FILE *ready;
	int fd;

	if (argc != 4)
		return 2;
	fd = tundev_open(argv[1], atoi(argv[2]), &features, text, sizeof(text));
	if (fd < 0 || loop_init() < 0) {
		fprintf(stderr, "%s\n", text);
		return 1;
	}
	tun = tun_new(fd, features, atoi(argv[2]), &handlers);
	pattern = buf_get(BUF_LARGE);
	for (uint32_t i = 0; i < BUF_LARGE; i++)
		pattern->data[i] = (uint8_t)(i % 65521 * 7 >> 3);
	if (!tun || stack_init(tun, &inbound, NULL) < 0)
		return 1;
	loop_signal_start(&term, SIGTERM, on_term);
	ready = fopen(argv[3], "w");
	if (ready)
		fputs("ready\n", ready);
	if (ready)
		fclose(ready);
	loop_run();
	report();
	stack_free();
	tun_free(tun);
	buf_unref(pattern);
	return 0;
}

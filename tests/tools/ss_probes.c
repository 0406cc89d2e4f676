/*
 * A prober of Shadowsocks servers: seven kinds of connections that nobody should serve, in
 * every length, many at a time, and what each of them can see.
 *
 *	ss_probes table METHOD SERVER:PORT PATIENCE_MS TARGET:PORT KEY [IDENTITY_KEY]
 *	ss_probes flight METHOD TARGET:PORT KEY [IDENTITY_KEY] > FILE
 *
 * `table` first makes connections that are served (their flights are the recordings), then
 * probes, and prints a row for each kind: how many, which reactions, when, and how many bytes the
 * server left unread. It runs in the server's network, where /proc/net/tcp tells the last. Exit
 * status 1: the rows are not alike, or a connection that should be served was not.
 *
 * A reaction is RST, FIN, data, or silence for PATIENCE_MS after the connect.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "crypto/kdf.h"
#include "crypto/random.h"
#include "proto/ss_stream.h"

#define LENGTHS 400
#define FLIGHT_MAX 1024
#define LATE_MS 300    /* how long the delayed one waits, and the second part of a split one */
#define STALE_S 60

enum kind { RANDOM, REPLAY, FLIPPED, TRUNCATED, DELAYED, SPLIT, WRONG_USER, KINDS };
static const char *const kind_names[] = { "random", "replay", "flipped", "truncated", "delayed", "split", "wrong user" };

enum reaction { SILENCE, RST, FIN, DATA, REACTIONS };
static const char *const reaction_names[] = { "silence", "RST", "FIN", "data" };

struct flight {
	uint8_t bytes[FLIGHT_MAX];
	size_t len;
};

struct probe {
	struct flight flight;
	size_t first;		/* bytes of the first write */
	uint64_t first_ms, connected_ms;
	int fd;
	enum reaction reaction;
	uint64_t reacted_ms; /* after the connect; 0: not yet */
	bool second_sent;
};

struct row {
	int reactions[REACTIONS];
	uint64_t earliest, latest;
	unsigned long unread;
	int after_second;
};

static const struct ss_method *method;
static uint8_t keys[SS_IDENTITY_MAX + 1][SS_KEY_MAX]; /* those before the last are identities */
static int n_identities;
static struct target target;
static struct addr server;
static uint64_t patience_ms;
static struct flight recorded[LENGTHS];
static struct probe probes[LENGTHS];

static void fail(const char *what)
{
	perror(what);
	exit(2);
}

/* ---- flights ---- */

/* A request with `payload` bytes, of time `now`, whose last key is `user`. */
static void make_flight(struct flight *f, size_t payload, uint64_t now, const uint8_t *user)
{
	struct ss_identity *id = n_identities ? ss_identity_new(method, (const uint8_t (*)[SS_KEY_MAX])keys, n_identities, user) : NULL;
	uint8_t salt[SS_SALT_MAX];
	struct ss_sealer s;

	random_bytes(salt, sizeof(salt));
	if (ss_sealer_init(&s, method, user, salt) != 0)
		fail("sealer");
	memset(f->bytes + ss_request_offset(method, id, &target, 0), 'p', payload);
	f->len = ss_seal_request(&s, id, salt, now, &target, 0, payload, f->bytes);
	ss_sealer_wipe(&s);
	ss_identity_free(id);
}

static void cut(struct flight *f, size_t len)
{
	if (f->len > len)
		f->len = len;
}

/* The probe of this kind that belongs to length or position n (1..LENGTHS). */
static void make_probe(struct probe *p, enum kind kind, size_t n)
{
	uint8_t stranger[SS_KEY_MAX];

	*p = (struct probe){ .flight = recorded[n - 1], .fd = -1 };
	switch (kind) {
	case RANDOM:
		random_bytes(p->flight.bytes, n);
		p->flight.len = n;
		break;
	case FLIPPED:
		p->flight.bytes[(n - 1) % p->flight.len] ^= 1;
		break;
	case TRUNCATED:
		cut(&p->flight, n);
		break;
	case DELAYED: /* by its clock where it has one, else by its arrival */
		if (method->sip022)
			make_flight(&p->flight, n, clock_unix() - STALE_S, keys[n_identities]);
		else
			p->first_ms = LATE_MS;
		break;
	case WRONG_USER:
		random_bytes(stranger, sizeof(stranger));
		make_flight(&p->flight, n, clock_unix(), stranger);
		break;
	case REPLAY:
	case SPLIT:
	case KINDS:
		break;
	}
	p->first = kind == SPLIT && n < p->flight.len ? n : p->flight.len;
}

/* ---- connections ---- */

static int dial(void)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&server, &ss);
	int fd = socket(server.family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&ss, len) < 0)
		fail("connect");
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

static void look(struct probe *p)
{
	uint8_t bytes[256];
	ssize_t n = recv(p->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (p->reacted_ms || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	p->reaction = n > 0 ? DATA : n == 0 ? FIN : RST;
	p->reacted_ms = clock_ms() - p->connected_ms + 1;
}

static void say(struct probe *p)
{
	uint64_t age = clock_ms() - p->connected_ms;

	if (p->first && age >= p->first_ms) {
		if (send(p->fd, p->flight.bytes, p->first, MSG_NOSIGNAL) < 0)
			look(p);
		p->flight.len -= p->first;
		memmove(p->flight.bytes, p->flight.bytes + p->first, p->flight.len);
		p->first = 0;
	} else if (!p->first && p->flight.len && !p->reacted_ms && age >= 2 * LATE_MS) {
		p->second_sent = true;
		if (send(p->fd, p->flight.bytes, p->flight.len, MSG_NOSIGNAL) < 0)
			look(p);
		p->flight.len = 0;
	}
}

/* Bytes that the server has not read, of all its connections. */
static unsigned long unread(void)
{
	FILE *f = fopen(server.family == AF_INET6 ? "/proc/net/tcp6" : "/proc/net/tcp", "r");
	unsigned long sum = 0, rx;
	unsigned port, state;
	char line[512];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%*d: %*[0-9A-F]:%x %*[0-9A-F]:%*x %x %*x:%lx", &port, &state, &rx) == 3 && port == server.port &&
		    state != 10)
			sum += rx;
	if (f)
		fclose(f);
	return sum;
}

static bool settled(int n)
{
	for (int i = 0; i < n; i++)
		if (!probes[i].reacted_ms)
			return false;
	return true;
}

/* Sends all of them at once and watches until each has reacted, or patience ends. */
static void watch(int n, struct row *row)
{
	uint64_t begin = clock_ms();
	bool measured = false;

	for (int i = 0; i < n; i++) {
		probes[i].fd = dial();
		probes[i].connected_ms = clock_ms();
	}
	while (!settled(n) && clock_ms() - begin < patience_ms) {
		for (int i = 0; i < n; i++) {
			say(&probes[i]);
			look(&probes[i]);
		}
		if (!measured && clock_ms() - begin > 4 * LATE_MS) {
			row->unread = unread();
			measured = true;
		}
		poll(NULL, 0, 5);
	}
	for (int i = 0; i < n; i++)
		close(probes[i].fd);
}

static void sum_up(int n, struct row *row)
{
	row->earliest = UINT64_MAX;
	for (int i = 0; i < n; i++) {
		const struct probe *p = &probes[i];

		row->reactions[p->reaction]++;
		row->after_second += p->second_sent && p->reacted_ms;
		if (p->reacted_ms && p->reacted_ms < row->earliest)
			row->earliest = p->reacted_ms;
		if (p->reacted_ms > row->latest)
			row->latest = p->reacted_ms;
	}
}

/* ---- the table ---- */

/* Served: the target's answer, or its FIN behind the head of one. */
static int record(void)
{
	struct row row = { 0 };
	int served = 0;

	for (size_t n = 1; n <= LENGTHS; n++) {
		make_flight(&recorded[n - 1], n, clock_unix(), keys[n_identities]);
		probes[n - 1] = (struct probe){ .flight = recorded[n - 1], .first = recorded[n - 1].len };
	}
	watch(LENGTHS, &row);
	for (int i = 0; i < LENGTHS; i++)
		served += probes[i].reaction == DATA;
	printf("%s: %d of %d connections served and recorded\n", method->name, served, LENGTHS);
	return served == LENGTHS;
}

static void print_row(const char *name, const struct row *r)
{
	char reactions[128] = "";
	size_t at = 0;

	for (int i = 0; i < REACTIONS; i++)
		if (r->reactions[i])
			at += (size_t)snprintf(reactions + at, sizeof(reactions) - at, "%s%s x%d", at ? ", " : "", reaction_names[i],
					       r->reactions[i]);
	printf("%-11s 1..%-4d %-28s %5llu..%-5llu %7lu %8d\n", name, LENGTHS, reactions,
	       (unsigned long long)(r->latest ? r->earliest : 0), (unsigned long long)r->latest, r->unread, r->after_second);
}

/* One reaction, the same in all rows; all was read; nothing waited for more. */
static bool alike(const struct row rows[KINDS])
{
	bool ok = true;

	for (int k = 0; k < KINDS; k++) {
		bool one = false;

		for (int i = 0; i < REACTIONS; i++)
			one |= rows[k].reactions[i] == LENGTHS && rows[0].reactions[i] == LENGTHS && i != DATA;
		if (!one || rows[k].unread || (method->sip022 && (rows[k].after_second || !rows[k].reactions[RST])) ||
		    (!method->sip022 && rows[k].reactions[RST])) {
			printf("%s is not like the others\n", kind_names[k]);
			ok = false;
		}
	}
	return ok;
}

static int table(void)
{
	struct row rows[KINDS] = { 0 };
	bool ok = record();

	printf("%-11s %-7s %-28s %-12s %7s %8s\n", "kind", "length", "reaction", "after ms", "unread", "2nd part");
	for (int kind = 0; kind < KINDS; kind++) {
		for (size_t n = 1; n <= LENGTHS; n++)
			make_probe(&probes[n - 1], (enum kind)kind, n);
		watch(LENGTHS, &rows[kind]);
		sum_up(LENGTHS, &rows[kind]);
		print_row(kind_names[kind], &rows[kind]);
		fflush(stdout);
	}
	return ok && alike(rows) ? 0 : 1;
}

/* ---- the command line ---- */

static void read_target(struct target *t, const char *text)
{
	if (target_parse(text, t) != 0) {
		fprintf(stderr, "no address: %s\n", text);
		exit(2);
	}
}

/* The last is the client's own. */
static void read_keys(char **words, int n)
{
	char err[256];

	for (int i = 0; i < n && i <= SS_IDENTITY_MAX; i++)
		if (ss_key_from_password(method, words[n - 1 - i], keys[i], err, sizeof(err)) != 0) {
			fprintf(stderr, "key: %s\n", err);
			exit(2);
		}
	n_identities = n - 1;
}

int main(int argc, char **argv)
{
	struct target t;
	struct flight f;

	method = argc > 4 ? ss_method_find(argv[2]) : NULL;
	if (method && argc > 6 && strcmp(argv[1], "table") == 0) {
		read_target(&t, argv[3]);
		server = t.ip;
		patience_ms = strtoul(argv[4], NULL, 10);
		read_target(&target, argv[5]);
		read_keys(argv + 6, argc - 6);
		return table();
	}
	if (method && strcmp(argv[1], "flight") == 0) {
		read_target(&target, argv[3]);
		read_keys(argv + 4, argc - 4);
		make_flight(&f, 100, clock_unix(), keys[n_identities]);
		return fwrite(f.bytes, 1, f.len, stdout) == f.len ? 0 : 2;
	}
	fprintf(stderr, "usage: see the head of ss_probes.c\n");
	return 2;
}

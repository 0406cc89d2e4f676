/*
 * Offers UDP datagrams at a chosen rate, or counts what arrives.
 *
 *   udp_load send ADDR PORT SIZE RATE SECONDS    prints datagrams sent and refused
 *   udp_load sink ADDR PORT                      prints datagrams and bytes received
 *
 * The sender keeps to its schedule, not to its successes: a datagram that the
 * kernel refuses is counted and not repeated, as a sender of media would do. The
 * sink ends one second after the last datagram, or after 20 seconds with none.
 *
 * Batches of 64 by sendmmsg and recvmmsg, without UDP_SEGMENT: what is measured is
 * a gateway under plain datagrams, so the tool must cost little, yet ask no help of it.
 * It does not know what stands between the two ends.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define BATCH 64
#define SIZE_MAX_UDP 65507
#define LATE 1.02 /* a machine that cannot offer the rate in time offers less, and it shows */
#define IDLE_MS 1000
#define FIRST_MS 20000

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void die(const char *what)
{
	fprintf(stderr, "udp_load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static socklen_t parse_addr(const char *host, const char *port, struct sockaddr_storage *sa)
{
	struct sockaddr_in *in = (struct sockaddr_in *)sa;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)sa;
	uint16_t number = htons((uint16_t)atoi(port));

	memset(sa, 0, sizeof(*sa));
	if (inet_pton(AF_INET, host, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = number;
		return sizeof(*in);
	}
	if (inet_pton(AF_INET6, host, &in6->sin6_addr) != 1) {
		errno = EINVAL;
		die(host);
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_port = number;
	return sizeof(*in6);
}

static int open_socket(const struct sockaddr_storage *sa)
{
	int fd = socket(sa->ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int size = 8 << 20;

	if (fd < 0)
		die("socket");
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return fd;
}

static void prepare(struct mmsghdr *messages, struct iovec *iov, void *data, size_t size)
{
	memset(messages, 0, sizeof(*messages) * BATCH);
	for (int i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){ .iov_base = data, .iov_len = size };
		messages[i].msg_hdr.msg_iov = &iov[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
}

/* Sends n datagrams; what the kernel refuses is added to *refused. */
static void send_due(int fd, struct mmsghdr *messages, unsigned int n, uint64_t *sent, uint64_t *refused)
{
	while (n) {
		int done = sendmmsg(fd, messages, n, MSG_DONTWAIT);

		if (done <= 0) {
			++*refused;
			n--;
			continue;
		}
		*sent += (uint64_t)done;
		n -= (unsigned int)done;
	}
}

static int run_send(char **argv)
{
	static uint8_t payload[SIZE_MAX_UDP];
	struct mmsghdr messages[BATCH];
	struct iovec iov[BATCH];
	struct sockaddr_storage sa;
	socklen_t sa_len = parse_addr(argv[0], argv[1], &sa);
	size_t size = strtoul(argv[2], NULL, 10);
	double rate = strtod(argv[3], NULL), seconds = strtod(argv[4], NULL), start;
	uint64_t sent = 0, refused = 0;
	int fd = open_socket(&sa);

	if (size > SIZE_MAX_UDP || rate <= 0)
		return 2;
	if (connect(fd, (struct sockaddr *)&sa, sa_len) < 0)
		die("connect");
	prepare(messages, iov, payload, size);
	start = now();
	for (;;) {
		double elapsed = now() - start;
		uint64_t due = (uint64_t)(rate * (elapsed < seconds ? elapsed : seconds));
		uint64_t behind = due - sent - refused;

		if (elapsed >= seconds && (!behind || elapsed >= seconds * LATE))
			break;
		if (behind)
			send_due(fd, messages, behind < BATCH ? (unsigned int)behind : BATCH, &sent, &refused);
		if (behind < BATCH)
			nanosleep(&(struct timespec){ .tv_nsec = 50000 }, NULL);
	}
	printf("%llu %llu\n", (unsigned long long)sent, (unsigned long long)refused);
	return 0;
}

static int run_sink(char **argv)
{
	static uint8_t payload[2048];
	struct mmsghdr messages[BATCH];
	struct iovec iov[BATCH];
	struct sockaddr_storage sa;
	socklen_t sa_len = parse_addr(argv[0], argv[1], &sa);
	uint64_t count = 0, bytes = 0;
	int fd = open_socket(&sa);
	struct pollfd readable = { .fd = fd, .events = POLLIN };

	if (bind(fd, (struct sockaddr *)&sa, sa_len) < 0)
		die("bind");
	prepare(messages, iov, payload, sizeof(payload));
	puts("ready");
	fflush(stdout);
	while (poll(&readable, 1, count ? IDLE_MS : FIRST_MS) > 0) {
		int n = recvmmsg(fd, messages, BATCH, MSG_DONTWAIT, NULL);

		for (int i = 0; i < n; i++)
			bytes += messages[i].msg_len;
		count += n > 0 ? (uint64_t)n : 0;
	}
	printf("%llu %llu\n", (unsigned long long)count, (unsigned long long)bytes);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 7 && !strcmp(argv[1], "send"))
		return run_send(argv + 2);
	if (argc == 4 && !strcmp(argv[1], "sink"))
		return run_sink(argv + 2);
	fprintf(stderr, "usage: udp_load send ADDR PORT SIZE RATE SECONDS | udp_load sink ADDR PORT\n");
	return 2;
}

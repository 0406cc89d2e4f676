/*
 * What the tests of UDP share: turning the loop until something is so, plain
 * sockets for the far ends, and payloads that tell where they came from.
 */
#ifndef TEST_UDP_HELPERS_H
#define TEST_UDP_HELPERS_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/addr.h"
#include "io/slice.h"
#include "loop/loop.h"

/* Turns the loop until `so`, for at most 3 seconds; fails the test otherwise. */
#define turn_until(so) \
	do { \
		int left_ = 3000; \
		int is_; \
		while (!(is_ = !!(so)) && left_--) { \
			loop_turn(); \
			usleep(1000); \
		} \
		assert_true(is_); \
	} while (0)

static inline void turns(int n)
{
	while (n--) {
		loop_turn();
		usleep(1000);
	}
}

static inline struct addr loopback4(uint16_t port)
{
	return addr_v4((const uint8_t[]){ 127, 0, 0, 1 }, port);
}

/* A plain blocking socket at `at` (a receive gives up after a second); *self is its address. */
static inline int plain_socket_at(struct addr at, struct addr *self)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&at, &ss);
	struct timeval second = { .tv_sec = 1 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second));
	assert_int_equal(bind(fd, (struct sockaddr *)&ss, len), 0);
	len = sizeof(ss);
	getsockname(fd, (struct sockaddr *)&ss, &len);
	*self = addr_from_sockaddr((struct sockaddr *)&ss);
	return fd;
}

static inline int plain_socket(struct addr *self)
{
	return plain_socket_at(loopback4(0), self);
}

/* A loopback address of this process alone: what a test beside it sends late, to a port that was
 * its own, does not come here. */
static inline struct addr loopback4_own(void)
{
	uint32_t pid = (uint32_t)getpid();

	return addr_v4((const uint8_t[]){ 127, (uint8_t)(64 + (pid >> 16)), (uint8_t)(pid >> 8), (uint8_t)pid }, 0);
}

static inline void plain_send(int fd, const struct addr *to, const void *data, size_t n)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(to, &ss);

	assert_int_equal(sendto(fd, data, n, 0, (struct sockaddr *)&ss, len), n);
}

/* Without waiting: -1 if there is nothing. */
static inline ssize_t plain_receive(int fd, void *data, size_t size, struct addr *from)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	ssize_t n = recvfrom(fd, data, size, MSG_DONTWAIT, (struct sockaddr *)&ss, &len);

	if (n >= 0 && from)
		*from = addr_from_sockaddr((struct sockaddr *)&ss);
	return n;
}

/* A pool buffer of `len` bytes that continue `seed`. The caller owns it. */
static inline struct slice pattern_slice(uint32_t len, uint8_t seed)
{
	struct slice s = { buf_get(len ? len : 1), 0, len };

	assert_non_null(s.buf);
	for (uint32_t i = 0; i < len; i++)
		s.buf->data[i] = (uint8_t)(seed + i * 7);
	return s;
}

static inline int pattern_ok(const uint8_t *data, uint32_t len, uint8_t seed)
{
	for (uint32_t i = 0; i < len; i++)
		if (data[i] != (uint8_t)(seed + i * 7))
			return 0;
	return 1;
}

#endif

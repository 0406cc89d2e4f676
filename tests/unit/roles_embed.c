/*
 * The embedding API. A pair of datagram sockets stands in for the TUN device:
 * what is written to one end is a packet read from the device.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "gatun.h"

#define CONFIG "{ \"server\": \"127.0.0.1\", \"server_port\": 9, \"method\": \"aes-256-gcm\", \"password\": \"0123456789abcdef0123\" }"

/* 10.0.0.1:4000 asks 10.0.0.2:53 for the A of "a.example". */
static const uint8_t question[] = {
	0x45, 0, 0, 55, 0, 0, 0x40, 0, 64, 17, 0x26, 0xb4, 10, 0, 0, 1, 10, 0, 0, 2,
	0x0f, 0xa0, 0, 53, 0, 35, 0, 0,
	0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 'a', 7, 'e', 'x', 'a', 'm', 'p', 'l', 'e', 0, 0, 1, 0, 1,
};

static int device[2];

static void *ask_and_stop(void *unused)
{
	static uint8_t answer[512];
	struct timeval limit = { .tv_sec = 5 };
	ssize_t n;

	(void)unused;
	setsockopt(device[1], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (write(device[1], question, sizeof(question)) != (ssize_t)sizeof(question))
		return NULL;
	n = read(device[1], answer, sizeof(answer));
	gatun_stop();
	return n > 0 ? answer : NULL;
}

static void answers_and_stops(void **state)
{
	char why[256];
	pthread_t thread;
	uint8_t *answer;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, device), 0);
	assert_int_equal(fcntl(device[0], F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(pthread_create(&thread, NULL, ask_and_stop, NULL), 0);
	assert_int_equal(gatun_run(device[0], 1400, CONFIG, why, sizeof(why)), 0);
	pthread_join(thread, (void **)&answer);
	assert_non_null(answer);
	assert_memory_equal(answer + 12, question + 16, 4); /* from the address that was asked */
	assert_int_equal(answer[28], 0x12);		    /* the query's id */
	assert_int_equal(answer[sizeof(question) + 12], 198); /* an address of 198.18.0.0/15 */
	assert_int_equal(close(device[0]), 0);		      /* it stayed ours */
	close(device[1]);
}

static void twice(void **state)
{
	answers_and_stops(state);
}

static void bad_config_says_where(void **state)
{
	char why[512];

	(void)state;
	assert_int_equal(gatun_run(0, 1400, "{ \"server\": \"127.0.0.1\",\n  \"server_port\": 70000 }", why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "config:2:"));
}

static void bad_descriptor(void **state)
{
	char why[128];

	(void)state;
	assert_int_equal(gatun_run(-1, 1400, CONFIG, why, sizeof(why)), -EBADF);
	assert_non_null(strstr(why, "EBADF"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_and_stops),
		cmocka_unit_test(twice),
		cmocka_unit_test(bad_config_says_where),
		cmocka_unit_test(bad_descriptor),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

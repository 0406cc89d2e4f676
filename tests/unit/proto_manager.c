/* ss-manager's protocol: orders as clients write them and as nobody should, answers that
 * fit datagrams. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "proto/manager.h"

/* Exactly these bytes, so that a sanitizer sees a byte too many. */
static int read_text(const char *text, size_t len, struct manager_order *o)
{
	uint8_t *block = malloc(len ? len : 1);
	int err;

	memcpy(block, text, len);
	err = manager_read(block, len, o);
	free(block);
	return err;
}

static void expect(const char *text, size_t len, int err, enum manager_command command, uint16_t port)
{
	struct manager_order o;

	if (read_text(text, len, &o) != err)
		fail_msg("%s", text);
	if (!err) {
		assert_int_equal(o.command, command);
		assert_int_equal(o.port, port);
		assert_int_equal(o.body != NULL, command == MANAGER_ADD);
	}
	manager_order_free(&o);
}

#define GOOD(text, command, port) expect(text, sizeof(text) - 1, 0, command, port)
#define BAD(text, err) expect(text, sizeof(text) - 1, err, 0, 0)

static void orders_are_read(void **state)
{
	(void)state;
	GOOD("ping", MANAGER_PING, 0);
	GOOD("ping\n", MANAGER_PING, 0);
	GOOD("ping\0", MANAGER_PING, 0);
	GOOD(" list \r\n", MANAGER_LIST, 0);
	GOOD("list:", MANAGER_LIST, 0);
	GOOD("stat: {\"8001\":5}", MANAGER_STAT, 0);
	GOOD("stat", MANAGER_STAT, 0);
	GOOD("add: {\"server_port\":8001,\"password\":\"x\"}", MANAGER_ADD, 8001);
	GOOD("add:{\"server_port\":\"65535\"}\n\0", MANAGER_ADD, 65535);
	GOOD("remove: {\"server_port\":\"1\"}", MANAGER_REMOVE, 1);
	GOOD("remove : {\"server_port\":1}", MANAGER_REMOVE, 1);
}

static void what_is_none_is_not(void **state)
{
	(void)state;
	BAD("", -ENOMSG);
	BAD(":", -ENOMSG);
	BAD("\0\0", -ENOMSG);
	BAD("pin", -ENOMSG);
	BAD("pingg", -ENOMSG);
	BAD("PING", -ENOMSG);
	BAD("add", -EINVAL);
	BAD("add:", -EINVAL);
	BAD("add: x", -EINVAL);
	BAD("add: {}", -EINVAL);
	BAD("add: []", -EINVAL);
	BAD("add: 8001", -EINVAL);
	BAD("add: {\"server_port\":8001", -EINVAL);
	BAD("add: {\"server_port\":8001} {}", -EINVAL);
	BAD("add: {\"server_port\":8001,\"server_port\":8002}", -EINVAL);
	BAD("add: {\"server_port\":0}", -EINVAL);
	BAD("add: {\"server_port\":-1}", -EINVAL);
	BAD("add: {\"server_port\":65536}", -EINVAL);
	BAD("add: {\"server_port\":18446744073709551617}", -EINVAL);
	BAD("add: {\"server_port\":\"99999999999999999999999999\"}", -EINVAL);
	BAD("add: {\"server_port\":\"\"}", -EINVAL);
	BAD("add: {\"server_port\":\"80 \"}", -EINVAL);
	BAD("add: {\"server_port\":80.5}", -EINVAL);
	BAD("remove: {\"server_port\":[1]}", -EINVAL);
	BAD("ping: {}", -EINVAL);
	BAD("list: x", -EINVAL);
}

/* Every datagram must be whole JSON; all together name every port once. */
static int count_answers(int n, size_t size, bool list)
{
	struct manager_port *ports = calloc((size_t)n + 1, sizeof(*ports));
	char *out = malloc(size);
	int next = 0, datagrams = 0, seen = 0;

	for (int i = 0; i < n; i++)
		ports[i] = (struct manager_port){ .port = (uint16_t)(i + 1), .method = "2022-blake3-chacha20-poly1305", .bytes = UINT64_MAX >> 1 };
	do {
		size_t len = list ? manager_write_list(ports, n, &next, out, size) : manager_write_ping(ports, n, &next, out, size);
		json_t *v;

		assert_true(len <= size);
		if (!list)
			assert_memory_equal(out, "stat: ", 6);
		v = json_loadb(out + (list ? 0 : 6), len - (list ? 0 : 6), 0, NULL);
		assert_non_null(v);
		seen += (int)(list ? json_array_size(v) : json_object_size(v));
		json_decref(v);
		datagrams++;
	} while (next < n);
	assert_int_equal(seen, n);
	free(out);
	free(ports);
	return datagrams;
}

static void answers_fit(void **state)
{
	(void)state;
	assert_int_equal(count_answers(0, MANAGER_ANSWER_MAX, true), 1);
	assert_int_equal(count_answers(0, MANAGER_ANSWER_MAX, false), 1);
	assert_int_equal(count_answers(3, MANAGER_ANSWER_MAX, true), 1);
	assert_int_equal(count_answers(3, MANAGER_ANSWER_MAX, false), 1);
	assert_true(count_answers(65535, MANAGER_ANSWER_MAX, true) > 100);
	assert_true(count_answers(65535, MANAGER_ANSWER_MAX, false) > 30);
	for (size_t size = 128; size < 700; size++)
		assert_true(count_answers(9, size, true) >= 1 && count_answers(9, size, false) >= 1);
}

static void answers_look_as_libev_s(void **state)
{
	const struct manager_port ports[] = { { 8001, "aes-256-gcm", 11370 }, { 8002, "aes-128-gcm", 0 } };
	char out[256];
	int next = 0;
	size_t len = manager_write_ping(ports, 2, &next, out, sizeof(out));

	(void)state;
	assert_int_equal(len, strlen("stat: {\"8001\":11370,\"8002\":0}"));
	assert_memory_equal(out, "stat: {\"8001\":11370,\"8002\":0}", len);
	next = 0;
	len = manager_write_list(ports, 1, &next, out, sizeof(out));
	assert_memory_equal(out, "[\n\t{\"server_port\":\"8001\",\"method\":\"aes-256-gcm\"}\n]", len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(orders_are_read),
		cmocka_unit_test(what_is_none_is_not),
		cmocka_unit_test(answers_fit),
		cmocka_unit_test(answers_look_as_libev_s),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

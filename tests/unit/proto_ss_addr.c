/* Addresses go onto the wire and come back the same; nothing cut short or
 * malformed is taken for one. */
#include "vectors.h"

#include <errno.h>

#include "proto/ss_addr.h"

static void round_trip(const char *text, size_t len)
{
	struct target t, back;
	uint8_t wire[SS_ADDR_MAX];
	char a[TARGET_STRLEN], b[TARGET_STRLEN];

	assert_int_equal(target_parse(text, &t), 0);
	assert_int_equal(ss_addr_len(&t), len);
	assert_int_equal(ss_addr_encode(&t, wire), len);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(ss_addr_decode(wire, i, &back), 0);
	assert_int_equal(ss_addr_decode(wire, len, &back), len);
	assert_string_equal(target_format(&t, a), target_format(&back, b));
	assert_int_equal(ss_addr_decode(wire, sizeof(wire), &back), len);
}

static void all_kinds(void **state)
{
	char name[300];

	(void)state;
	round_trip("1.2.3.4:443", 7);
	round_trip("[2001:db8::1]:80", 19);
	round_trip("example.com:80", 15);
	round_trip("a:1", 5);
	memset(name, 'x', 255);
	strcpy(name + 255, ":65535");
	round_trip(name, SS_ADDR_MAX);
}

static void known_bytes(void **state)
{
	static const uint8_t v4[] = { 1, 1, 2, 3, 4, 1, 0xbb }, name[] = { 3, 2, 'a', 'b', 0, 80 };
	struct target t;

	(void)state;
	assert_int_equal(ss_addr_decode(v4, sizeof(v4), &t), 7);
	assert_int_equal(target_port(&t), 443);
	assert_false(target_is_name(&t));
	assert_int_equal(ss_addr_decode(name, sizeof(name), &t), 6);
	assert_string_equal(t.name, "ab");
	assert_int_equal(target_port(&t), 80);
}

static void refused(void **state)
{
	struct target t;
	uint8_t wire[SS_ADDR_MAX] = { 0 };

	(void)state;
	for (int type = 0; type < 256; type++) {
		wire[0] = (uint8_t)type;
		wire[1] = 0; /* an empty name */
		if (type != 1 && type != 4)
			assert_int_equal(ss_addr_decode(wire, sizeof(wire), &t), -EPROTO);
	}
}

/* One host has one spelling: literal names and mapped addresses are normalised. */
static void normalised(void **state)
{
	static const uint8_t literal[] = { 3, 7, '1', '.', '2', '.', '3', '.', '4', 0, 53 };
	static const uint8_t mapped[] = { 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 1, 2, 3, 4, 0, 53 };
	static const uint8_t nul[] = { 3, 8, '1', '.', '2', '.', '3', '.', '4', 0, 0, 53 };
	struct target a, b;

	(void)state;
	assert_int_equal(ss_addr_decode(literal, sizeof(literal), &a), sizeof(literal));
	assert_int_equal(ss_addr_decode(mapped, sizeof(mapped), &b), sizeof(mapped));
	assert_false(target_is_name(&a));
	assert_int_equal(b.ip.family, AF_INET);
	assert_true(addr_equal(&a.ip, &b.ip));
	assert_int_equal(ss_addr_decode(nul, sizeof(nul), &a), sizeof(nul));
	assert_true(target_is_name(&a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_kinds),
		cmocka_unit_test(known_bytes),
		cmocka_unit_test(refused),
		cmocka_unit_test(normalised),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

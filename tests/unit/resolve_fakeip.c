/* resolve/fakeip: both ways, both families, and never somebody else's address. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "resolve/fakeip.h"

static struct fakeip_entry *assign(struct fakeip *f, const char *name, uint64_t now)
{
	struct fakeip_entry *e = NULL;

	assert_int_equal(fakeip_assign(f, name, strlen(name), now, &e), 0);
	assert_string_equal(e->name, name);
	return e;
}

static struct addr v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	uint8_t ip[4] = { a, b, c, d };

	return addr_v4(ip, 80);
}

static void maps_both_ways(void **state)
{
	struct fakeip f;
	struct fakeip_entry *e, *again, *other;
	struct addr a, b;

	(void)state;
	assert_int_equal(fakeip_init(&f, 0), 0);
	e = assign(&f, "www.example", 0);
	a = fakeip_v4(e, 443);
	b = fakeip_v6(&f, e, 443);
	assert_int_equal(a.port, 443);
	assert_int_equal(b.ip.bytes[0], 0xfd);
	assert_true(fakeip_is_fake(&f, &a) && fakeip_is_fake(&f, &b));
	assert_ptr_equal(fakeip_find_addr(&f, &a), e);
	assert_ptr_equal(fakeip_find_addr(&f, &b), e);
	again = assign(&f, "www.example", 1);
	assert_ptr_equal(again, e);
	other = assign(&f, "example", 1);
	assert_ptr_not_equal(other, e);
	assert_ptr_equal(fakeip_find_name(&f, "example", 7), other);
	assert_null(fakeip_find_name(&f, "exampl", 6));
	fakeip_free(&f);
}

static void says_which_addresses_are_its_own(void **state)
{
	struct fakeip f;
	struct addr a, unmapped6;

	(void)state;
	assert_int_equal(fakeip_init(&f, 0), 0);
	a = v4(198, 17, 255, 255);
	assert_false(fakeip_is_fake(&f, &a));
	a = v4(198, 20, 0, 0);
	assert_false(fakeip_is_fake(&f, &a));
	a = v4(198, 18, 0, 0);
	assert_true(fakeip_is_fake(&f, &a));
	assert_null(fakeip_find_addr(&f, &a));
	a = v4(198, 19, 255, 255);
	assert_true(fakeip_is_fake(&f, &a));
	assert_null(fakeip_find_addr(&f, &a));
	a = v4(198, 19, 255, 254);
	assert_null(fakeip_find_addr(&f, &a));
	unmapped6 = fakeip_v6(&f, assign(&f, "x.example", 0), 1);
	unmapped6.ip.bytes[15] = 0;
	assert_true(fakeip_is_fake(&f, &unmapped6));
	assert_null(fakeip_find_addr(&f, &unmapped6));
	unmapped6.ip.bytes[8] = 1;
	unmapped6.ip.bytes[15] = 1;
	assert_null(fakeip_find_addr(&f, &unmapped6));
	memset(unmapped6.ip.bytes + 8, 0xff, 8);
	assert_null(fakeip_find_addr(&f, &unmapped6));
	fakeip_free(&f);
}

/* All of them: distinct, none a network or broadcast address, each found again. */
static void gives_out_the_whole_range(void **state)
{
	struct fakeip f;
	char name[32];
	uint32_t last = 0;
	struct fakeip_entry *e = NULL;

	(void)state;
	assert_int_equal(fakeip_init(&f, 0), 0);
	for (unsigned i = 0; i < FAKEIP_MAX; i++) {
		snprintf(name, sizeof(name), "h%u.example", i);
		e = assign(&f, name, 0);
		struct addr a = fakeip_v4(e, 0);
		uint32_t ip = (uint32_t)a.ip.bytes[0] << 24 | a.ip.bytes[1] << 16 | a.ip.bytes[2] << 8 | a.ip.bytes[3];
		assert_true(ip > last && fakeip_is_fake(&f, &a));
		assert_true(a.ip.bytes[3] != 0 && a.ip.bytes[3] != 255);
		assert_ptr_equal(fakeip_find_addr(&f, &a), e);
		struct addr b = fakeip_v6(&f, e, 0);
		assert_ptr_equal(fakeip_find_addr(&f, &b), e);
		last = ip;
	}
	assert_int_equal(last, 0xc613fffe);
	assert_int_equal(f.count, FAKEIP_MAX);
	assert_int_equal(fakeip_assign(&f, "one.more", 8, 0, &e), -ENOSPC);
	fakeip_free(&f);
}

static void never_gives_away_what_is_in_use(void **state)
{
	struct fakeip f;
	struct fakeip_entry *e, *a, *b;
	uint32_t index_a, index_b;

	(void)state;
	assert_int_equal(fakeip_init(&f, 2), 0);
	a = assign(&f, "a.example", 0);
	b = assign(&f, "b.example", 0);
	index_a = a->index;
	index_b = b->index;
	fakeip_touch(&f, a, 10);
	assert_int_equal(fakeip_assign(&f, "c.example", 9, FAKEIP_ANSWERED_MS - 1, &e), -ENOSPC);
	/* Asked again: its time begins anew. */
	assign(&f, "b.example", FAKEIP_ANSWERED_MS - 1);
	assert_int_equal(fakeip_assign(&f, "c.example", 9, FAKEIP_ANSWERED_MS, &e), -ENOSPC);
	e = assign(&f, "c.example", 2 * FAKEIP_ANSWERED_MS);
	assert_int_equal(e->index, index_b);
	assert_null(fakeip_find_name(&f, "b.example", 9));
	assert_ptr_equal(fakeip_find_name(&f, "a.example", 9), a);
	/* A flow that goes on keeps its name, an old one loses it. */
	fakeip_touch(&f, e, 2 * FAKEIP_ANSWERED_MS);
	assert_int_equal(fakeip_assign(&f, "d.example", 9, FAKEIP_USED_MS, &b), -ENOSPC);
	fakeip_touch(&f, e, FAKEIP_USED_MS);
	b = assign(&f, "d.example", FAKEIP_USED_MS + 10);
	assert_int_equal(b->index, index_a);
	assert_non_null(fakeip_find_name(&f, "c.example", 9));
	assert_int_equal(f.count, 2);
	fakeip_free(&f);
}

static void a_process_has_its_own_ipv6_range(void **state)
{
	struct fakeip f, g;

	(void)state;
	assert_int_equal(fakeip_init(&f, 0), 0);
	assert_int_equal(fakeip_init(&g, 0), 0);
	assert_memory_not_equal(f.prefix6, g.prefix6, sizeof(f.prefix6));
	fakeip_free(&f);
	fakeip_free(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(maps_both_ways),
		cmocka_unit_test(says_which_addresses_are_its_own),
		cmocka_unit_test(gives_out_the_whole_range),
		cmocka_unit_test(never_gives_away_what_is_in_use),
		cmocka_unit_test(a_process_has_its_own_ipv6_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

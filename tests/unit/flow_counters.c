/* The table of counters names every number of the page, once; whoever reads gets those of the rooms below too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "flow/counters.h"
#include "io/datagram_counters.h"
#include "io/udp_socket.h"

static void each_number_has_one_row(void **state)
{
	uint8_t named[sizeof(struct flow_counters)] = { 0 };
	size_t rows = 0;

	(void)state;
	for (const struct flow_counter_row *r = flow_counter_table(); r->name; r++, rows++) {
		assert_true(r->offset + sizeof(uint64_t) <= sizeof(struct flow_counters));
		assert_int_equal(named[r->offset], 0);
		named[r->offset] = 1;
		for (const struct flow_counter_row *s = flow_counter_table(); s != r; s++)
			assert_true(strcmp(r->group, s->group) != 0 || strcmp(r->name, s->name) != 0);
		assert_true(r->doc[strlen(r->doc) - 1] == '.');
	}
	/* Nothing but tcp.ended[] is left. */
	assert_int_equal(rows + END_COUNT, sizeof(struct flow_counters) / sizeof(uint64_t));
	for (int i = 0; i < END_COUNT; i++)
		assert_int_equal(named[offsetof(struct flow_counters, tcp.ended[i])], 0);
}

static void reading_adds_what_the_rooms_below_counted(void **state)
{
	struct flow_counters c;

	(void)state;
	flow_counters_reset();
	flow_counters.udp.dropped_queue = 1;
	flow_counters.udp.dropped_rate = 2;
	datagram_counters.dropped_queue = 10;
	datagram_counters.dropped_replay = 20;
	udp_socket_counters.tx_dropped = 100;
	udp_socket_counters.closed_port = 200;
	for (int i = 0; i < 2; i++) { /* reading counts nothing */
		flow_counters_read(&c);
		assert_int_equal(c.udp.dropped_queue, 111);
		assert_int_equal(c.udp.dropped_rate, 2);
		assert_int_equal(c.udp.dropped_replay, 20);
		assert_int_equal(c.udp.closed_port, 200);
	}
	flow_counters_reset();
	flow_counters_read(&c);
	assert_int_equal(c.udp.dropped_queue, 0);
	assert_int_equal(c.udp.closed_port, 0);
}

static void adding_adds_every_number(void **state)
{
	struct flow_counters sum, more;
	uint64_t *a = (uint64_t *)&sum, *b = (uint64_t *)&more;

	(void)state;
	for (size_t i = 0; i < sizeof(sum) / sizeof(*a); i++)
		a[i] = i, b[i] = 1000 * i;
	flow_counters_add(&sum, &more);
	for (size_t i = 0; i < sizeof(sum) / sizeof(*a); i++)
		assert_int_equal(a[i], 1001 * i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_number_has_one_row),
		cmocka_unit_test(reading_adds_what_the_rooms_below_counted),
		cmocka_unit_test(adding_adds_every_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * A session has one owner among several processes, and what comes to another
 * one reaches him as it came.
 */
#include "udp_helpers.h"

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "inbound/session_owners.h"
#include "inbound/ss_salts.h"

#define WORKERS 4
#define SESSIONS 5000

static uint8_t *won; /* [WORKERS][SESSIONS], shared with children */
static struct session_listener port = { .at = { .family = AF_INET, .port = 8388 } };

static int set_up(void **state)
{
	struct session_owners *o = session_owners_new(WORKERS);

	if (!o || loop_init() < 0)
		return -1;
	memset(won, 0, 4096 + (size_t)WORKERS * SESSIONS);
	*state = o;
	return 0;
}

static int tear_down(void **state)
{
	loop_free();
	session_owners_free(*state);
	return 0;
}

static unsigned *arrived(void)
{
	return (unsigned *)(void *)(won + WORKERS * SESSIONS);
}

/* Claims every session, each worker in an order of its own. */
static void claim_all(struct session_owners *o, int worker)
{
	session_owners_join(o, worker);
	__atomic_fetch_add(arrived(), 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(arrived(), __ATOMIC_SEQ_CST) < WORKERS)
		sched_yield();
	for (unsigned i = 0; i < SESSIONS; i++) {
		unsigned session = (i * 7919u + (unsigned)worker * 1237u) % SESSIONS;

		won[(unsigned)worker * SESSIONS + session] = session_owners_claim(o, &port, session, 1000);
	}
}

static void one_of_four_wins(void **state)
{
	struct session_owners *o = *state;

	for (int w = 0; w < WORKERS; w++) {
		if (fork())
			continue;
		if (loop_init() == 0)
			claim_all(o, w);
		_exit(0);
	}
	for (int w = 0; w < WORKERS; w++) {
		int status;

		wait(&status);
		assert_int_equal(status, 0);
	}
	for (unsigned i = 0; i < SESSIONS; i++) {
		int owner = -1, n = 0;

		for (int w = 0; w < WORKERS; w++) {
			if (!won[(unsigned)w * SESSIONS + i])
				continue;
			owner = w;
			n++;
		}
		assert_int_equal(n, 1);
		assert_int_equal(session_owners_find(o, &port, i, 1000), owner);
	}
}

/* Worker `w` says what he has, without being a process of his own. */
static void be(struct session_owners *o, int w)
{
	session_owners_leave(o);
	assert_int_equal(session_owners_join(o, w), 0);
}

static void a_session_stays_its_owners_until_its_datagrams_are_too_old(void **state)
{
	struct session_owners *o = *state;

	be(o, 1);
	assert_true(session_owners_claim(o, &port, 7, 1000));
	assert_int_equal(session_owners_find(o, &port, 7, 1000), -1); /* ours is nobody else's */
	be(o, 2);
	assert_int_equal(session_owners_find(o, &port, 7, 1000000000), 1); /* it lives, however long */
	assert_false(session_owners_claim(o, &port, 7, 1000000000));
	session_owners_release(o, &port, 7, 0); /* not ours to release */
	assert_int_equal(session_owners_find(o, &port, 7, 1000000000), 1);
	be(o, 1);
	session_owners_release(o, &port, 7, 61000);
	be(o, 2);
	assert_int_equal(session_owners_find(o, &port, 7, 61000), 1);
	assert_false(session_owners_claim(o, &port, 7, 61000));
	assert_int_equal(session_owners_find(o, &port, 7, 63000), -1);
	assert_true(session_owners_claim(o, &port, 7, 63000));
	be(o, 1);
	assert_int_equal(session_owners_find(o, &port, 7, 63000), 2);
	session_owners_leave(o);
}

static void ports_do_not_share_sessions(void **state)
{
	struct session_owners *o = *state;
	struct session_listener other = { .at = { .family = AF_INET, .port = 8389 } };

	be(o, 0);
	assert_true(session_owners_claim(o, &port, 7, 0));
	be(o, 1);
	assert_int_equal(session_owners_find(o, &other, 7, 0), -1);
	assert_true(session_owners_claim(o, &other, 7, 0));
	session_owners_leave(o);
}

static void a_dead_workers_sessions_are_anybodys(void **state)
{
	struct session_owners *o = *state;

	for (int w = 0; w < 2; w++) {
		be(o, w);
		for (unsigned i = 0; i < 100; i++)
			assert_true(session_owners_claim(o, &port, i * 2 + (unsigned)w, 0));
	}
	session_owners_bury(o, 0);
	be(o, 3);
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(session_owners_find(o, &port, i, 0), i % 2 ? 1 : -1);
	session_owners_leave(o);
}

/* More than it holds: the newest are found, and nothing breaks. */
static void a_full_table_forgets_the_oldest(void **state)
{
	struct session_owners *o = *state;
	unsigned found = 0;

	be(o, 1);
	for (unsigned i = 0; i < 400000; i++)
		assert_true(session_owners_claim(o, &port, i, 0));
	be(o, 2);
	for (unsigned i = 390000; i < 400000; i++)
		found += session_owners_find(o, &port, i, 0) == 1;
	assert_true(found > 9900);
	session_owners_leave(o);
}

/* ---- handing over ---- */

static int n_taken;
static struct udp_message taken;
static uint8_t taken_bytes[70000];

static void on_taken(struct session_listener *l, const struct udp_message *m)
{
	assert_ptr_equal(l, &port);
	taken = *m;
	memcpy(taken_bytes, slice_data(&m->payload), m->payload.len);
	n_taken++;
}

static void a_datagram_reaches_its_owner_as_it_came(void **state)
{
	struct session_owners *o = *state;
	struct session_listener nobody = { .at = { .family = AF_INET, .port = 9 } };
	struct udp_message from = { .peer = loopback4(1234), .local = loopback4(0) };
	uint8_t data[65507];

	port.receive = on_taken;
	be(o, 3);
	session_owners_listen(o, &port);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 + (i >> 8));
	for (size_t len = 1; len <= sizeof(data); len = len * 3 < sizeof(data) || len == sizeof(data) ? len * 3 : sizeof(data)) {
		n_taken = 0;
		assert_true(session_owners_hand_over(o, 3, &nobody, &from, data, len)); /* a port that is gone by now */
		assert_true(session_owners_hand_over(o, 3, &port, &from, data, len));
		turn_until(n_taken == 1);
		assert_int_equal(taken.payload.len, len);
		assert_memory_equal(taken_bytes, data, len);
		assert_true(addr_equal(&taken.peer, &from.peer));
		assert_true(addr_equal(&taken.local, &from.local));
		assert_int_equal(taken.segment, 0);
	}
	/* Who does not read stops nobody, and loses what does not fit. */
	for (n_taken = 0; session_owners_hand_over(o, 2, &port, &from, data, 1000); n_taken++)
		assert_true(n_taken < 100000);
	assert_true(n_taken > 50);
	session_owners_leave(o);
	list_remove(&port.node);
}

static void salts_are_remembered_together(void **state)
{
	struct ss_salts here = { 0 }, there = { 0 }, alone = { 0 };
	uint8_t salt[32] = "12345678";

	ss_salts_share(&here, session_owners_salts(*state));
	ss_salts_share(&there, session_owners_salts(*state));
	assert_true(ss_salts_take(&here, salt, 0));
	assert_false(ss_salts_take(&there, salt, 0));
	assert_true(ss_salts_take(&alone, salt, 0));
	assert_false(ss_salts_take(&alone, salt, 19000));
	assert_true(ss_salts_keep(&alone, 20000));
	assert_false(ss_salts_keep(&alone, 39000));
	assert_null(alone.recent);
	assert_false(ss_salts_keep(&here, 1000000));
	assert_false(ss_salts_take(&here, salt, 1000000));
	ss_salts_free(&here);
	ss_salts_free(&there);
	ss_salts_free(&alone);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_of_four_wins, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_session_stays_its_owners_until_its_datagrams_are_too_old, set_up, tear_down),
		cmocka_unit_test_setup_teardown(ports_do_not_share_sessions, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_dead_workers_sessions_are_anybodys, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_full_table_forgets_the_oldest, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_datagram_reaches_its_owner_as_it_came, set_up, tear_down),
		cmocka_unit_test_setup_teardown(salts_are_remembered_together, set_up, tear_down),
	};

	won = mmap(NULL, 4096 + WORKERS * SESSIONS, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (won == MAP_FAILED)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

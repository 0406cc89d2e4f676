/* Buffers are counted, reused and given back; queues keep order and references. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "io/slice.h"

static void sizes(void **state)
{
	(void)state;
	for (uint32_t size = 1; size <= BUF_LARGE; size += 997) {
		struct buf *b = buf_get(size);

		assert_non_null(b);
		assert_true(b->size >= size);
		assert_int_equal((uintptr_t)b->data % 64, 0);
		buf_unref(b);
	}
	assert_null(buf_get(BUF_LARGE + 1));
	assert_int_equal(buf_pool_used(), 0);
}

static void budget_and_trim(void **state)
{
	struct buf *b;

	(void)state;
	buf_pool_set_budget(BUF_LARGE);
	b = buf_get(BUF_LARGE);
	assert_non_null(b);
	assert_null(buf_get(1));
	buf_unref(b);
	buf_pool_set_budget(0);
	buf_pool_trim(); /* marks */
	buf_pool_trim(); /* what stayed unused since goes back */
	assert_int_equal(buf_pool_kept(), 0);
}

/* Pushes and drops at random; the bytes must come out in order. */
static void queue_is_a_fifo(void **state)
{
	struct slice_queue q = { 0 };
	uint8_t in = 0, out = 0;

	(void)state;
	srand(3);
	for (int step = 0; step < 20000; step++) {
		if (rand() % 2) {
			struct buf *b = buf_get(64);
			struct slice s = { b, 5, 1 + (uint32_t)rand() % 40 };

			for (uint32_t i = 0; i < s.len; i++)
				slice_data(&s)[i] = in++;
			assert_int_equal(slice_queue_push(&q, &s, 1), 0);
			buf_unref(b);
		} else if (q.bytes) {
			struct slice v[20];
			int n = slice_queue_peek(&q, v, 20);
			size_t drop = 1 + (size_t)rand() % q.bytes, seen = 0;

			for (int k = 0; k < n && seen < drop; k++)
				for (uint32_t i = 0; i < v[k].len && seen < drop; i++, seen++)
					assert_int_equal(slice_data(&v[k])[i], (uint8_t)(out + seen));
			out = (uint8_t)(out + drop);
			slice_queue_drop(&q, drop);
		}
	}
	slice_queue_clear(&q);
	assert_null(q.head);
	assert_int_equal(buf_pool_used(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes),
		cmocka_unit_test(budget_and_trim),
		cmocka_unit_test(queue_is_a_fifo),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* dns/frames: any cut of a byte stream gives the same messages. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dns/frames.h"

static char got[256];
static int stop_after;

static bool take(void *owner, const uint8_t *msg, size_t len)
{
	(void)owner;
	strncat(got, (const char *)msg, len);
	strcat(got, "|");
	return --stop_after != 0;
}

static const uint8_t stream[] = "\0\3abc\0\0\0\1d\0\5efghi";
#define STREAM_LEN (sizeof(stream) - 1)
static const char want[] = "abc||d|efghi|";

static void any_cut_gives_the_same(void **state)
{
	(void)state;
	for (size_t a = 0; a <= STREAM_LEN; a++)
		for (size_t b = a; b <= STREAM_LEN; b++) {
			struct dns_frames f = { 0 };
			size_t at[] = { 0, a, b, STREAM_LEN }, taken = 0;

			got[0] = 0;
			stop_after = -1;
			for (int i = 0; i < 3; i++) {
				uint8_t *piece = malloc(at[i + 1] - at[i] + 1);
				memcpy(piece, stream + at[i], at[i + 1] - at[i]);
				assert_int_equal(dns_frames_feed(&f, piece, at[i + 1] - at[i], &taken, take, NULL), 0);
				assert_int_equal(taken, at[i + 1] - at[i]);
				free(piece);
			}
			assert_string_equal(got, want);
			assert_null(f.buf);
		}
}

static void byte_by_byte_is_the_same(void **state)
{
	struct dns_frames f = { 0 };
	size_t taken;

	(void)state;
	got[0] = 0;
	stop_after = -1;
	for (size_t i = 0; i < STREAM_LEN; i++)
		assert_int_equal(dns_frames_feed(&f, stream + i, 1, &taken, take, NULL), 0);
	assert_string_equal(got, want);
}

static void stops_where_told_and_goes_on(void **state)
{
	struct dns_frames f = { 0 };
	size_t at = 0, taken;

	(void)state;
	got[0] = 0;
	for (int i = 0; at < STREAM_LEN; i++) {
		stop_after = 1;
		assert_int_equal(dns_frames_feed(&f, stream + at, STREAM_LEN - at, &taken, take, NULL), 0);
		at += taken;
		assert_true(i < 4);
	}
	assert_string_equal(got, want);
}

static void holds_no_more_than_the_frame_says(void **state)
{
	struct dns_frames f = { 0 };
	size_t taken;

	(void)state;
	stop_after = -1;
	assert_int_equal(dns_frames_feed(&f, stream, 4, &taken, take, NULL), 0);
	assert_true(f.room <= 5);
	dns_frames_clear(&f);
	assert_null(f.buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_cut_gives_the_same),
		cmocka_unit_test(byte_by_byte_is_the_same),
		cmocka_unit_test(stops_where_told_and_goes_on),
		cmocka_unit_test(holds_no_more_than_the_frame_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
